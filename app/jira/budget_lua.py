"""The rule of turns, run inside Redis: one script, so that all workers see one state.

Times are microseconds of the Redis server's clock. Keys of a site share a hash tag, so the
script also runs on a cluster. See `LocalBudget.answer` for the same rule in Python.

After a flush nothing is known of what was just sent. Workers remember the *epoch* of the site's
keys; the first that finds another one marks the flush. Turns then wait for all that could still
be outstanding, issues rest for their shortest window, and have half their share
for their longest. Limits: a worker that started after the flush cannot know of it.
"""

TAKE = """
-- KEYS: bucket, epoch, then ARGV[8] pause keys, then the issues' logs
-- ARGV: interval, horizon, bulk, bulk interval, known epoch, unique word, rest after a
--       flush, pause keys, lateness, time to live (ms), then (window, writes) pairs
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local interval, horizon = tonumber(ARGV[1]), tonumber(ARGV[2])
local bulk = ARGV[3] == '1'
local pauses, late, ttl = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]

local epoch = redis.call('HGET', KEYS[2], 'id')
if not epoch then
  epoch = ARGV[6]
  redis.call('HSET', KEYS[2], 'id', epoch)
end
if ARGV[5] ~= '' and ARGV[5] ~= epoch then
  redis.call('HSETNX', KEYS[2], 'flushed', string.format('%.0f', now))
end
redis.call('PEXPIRE', KEYS[2], ttl)
local flushed = tonumber(redis.call('HGET', KEYS[2], 'flushed') or '0')

local paused = 0
for i = 3, 2 + pauses do
  paused = math.max(paused, redis.call('PTTL', KEYS[i]))
end
if paused > 0 then
  return {'paused', string.format('%.0f', paused * 1000), epoch}
end

local state = redis.call('HMGET', KEYS[1], 'next', 'bulk', 'live', 'slow')
if tonumber(state[4] or '0') > now then interval = interval * 2 end
local start = math.max(now, flushed + tonumber(ARGV[7]) + interval)
if flushed == 0 then start = now end
local at = math.max(now, tonumber(state[1] or start))
if bulk and now - tonumber(state[3] or '0') < 1000000 then
  at = math.max(at, tonumber(state[2] or '0'))
end
if at - now > horizon then
  return {'wait', string.format('%.0f', at - now - horizon), epoch}
end

local longest, rest = 0, 0
for w = 11, #ARGV, 2 do longest = math.max(longest, tonumber(ARGV[w]) + late) end
for i = 3 + pauses, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now - longest))
  for w = 11, #ARGV, 2 do
    local window, most = tonumber(ARGV[w]) + late, tonumber(ARGV[w + 1])
    if flushed > 0 and now - flushed < longest then most = math.ceil(most / 2) end
    local edge = redis.call('ZREVRANGE', KEYS[i], most - 1, most - 1, 'WITHSCORES')[2]
    if edge then rest = math.max(rest, tonumber(edge) + window - at) end
    if w == 11 and flushed > 0 then rest = math.max(rest, flushed + window - at) end
  end
end
if rest > 0 then
  return {'issue', string.format('%.0f', rest), epoch}
end

redis.call('HSET', KEYS[1], 'next', string.format('%.0f', at + interval))
if bulk then
  redis.call('HSET', KEYS[1], 'bulk', string.format('%.0f', at + tonumber(ARGV[4])))
else
  redis.call('HSET', KEYS[1], 'live', string.format('%.0f', now))
end
redis.call('PEXPIRE', KEYS[1], ttl)
for i = 3 + pauses, #KEYS do
  local score = string.format('%.0f', at)
  redis.call('ZADD', KEYS[i], score, ARGV[6])
  redis.call('PEXPIRE', KEYS[i], string.format('%.0f', longest / 1000 + 1000))
end
return {'granted', string.format('%.0f', at - now), epoch}
"""

PAUSE = """
-- KEYS: pause key. ARGV: milliseconds. A longer pause stays.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
return 1
"""

SLOW = """
-- KEYS: bucket. ARGV: microseconds, time to live (ms).
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
redis.call('HSET', KEYS[1], 'slow', string.format('%.0f', now + tonumber(ARGV[1])))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
