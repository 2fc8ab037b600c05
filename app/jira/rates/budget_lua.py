"""The rule of turns, run inside Redis: one script, so that all workers see one state.

Times are microseconds of the Redis server's clock. Keys of a site share a hash tag, so the
script also runs on a cluster. See `LocalBudget.answer` for the same rule in Python.

After a flush nothing is known of what was just sent. Workers remember the *epoch* of the site's
keys; the first that finds another one marks the flush. Turns then wait for all that could still
be outstanding, issues rest for their shortest window, and have half their share
for their longest. Limits: a worker that started after the flush cannot know of it.
"""

TAKE = """
-- KEYS: epoch, lines, the lines' turns, pause keys, then the issues' logs
-- ARGV: horizon, bulk, known epoch, unique word, rest after a flush, lateness, time to live (ms),
--       bulk's share, lines, pause keys, horizon of bulk that has waited and after how many
--       turns, the second that limits are kept in, then most, steady, quick and even for each
--       line, then (window, writes) pairs
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local horizon, bulk = tonumber(ARGV[1]), ARGV[2] == '1'
local late, ttl, share = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local lines, pauses = tonumber(ARGV[9]), tonumber(ARGV[10])
local first_pause, first_log = 2 + 2 * lines, 2 + 2 * lines + pauses
local first_window = 14 + 4 * lines
local second = tonumber(ARGV[13])

local epoch = redis.call('HGET', KEYS[1], 'id')
if not epoch then
  epoch = ARGV[4]
  redis.call('HSET', KEYS[1], 'id', epoch)
end
if ARGV[3] ~= '' and ARGV[3] ~= epoch then
  redis.call('HSETNX', KEYS[1], 'flushed', string.format('%.0f', now))
end
redis.call('PEXPIRE', KEYS[1], ttl)
local flushed = tonumber(redis.call('HGET', KEYS[1], 'flushed') or '0')

local paused = 0
for i = first_pause, first_log - 1 do
  paused = math.max(paused, redis.call('PTTL', KEYS[i]))
end
if paused > 0 then
  return {'paused', string.format('%.0f', paused * 1000), epoch}
end

local at, waited, slowest = now, bulk, 0
for l = 1, lines do
  local most, steady = tonumber(ARGV[10 + 4 * l]), tonumber(ARGV[11 + 4 * l])
  local state = redis.call('HMGET', KEYS[1 + l], 'born', 'bulk', 'live', 'slow', 'even')
  local spacing, turns = steady, KEYS[1 + lines + l]
  if not state[1] and flushed > 0 then
    at = math.max(at, flushed + tonumber(ARGV[5]) + steady)
  end
  if tonumber(state[4] or '0') > now then
    spacing = 2 * steady
  elseif state[1] and now >= tonumber(state[1]) + second then
    local even = tonumber(state[5] or '0') > now
    spacing = tonumber(ARGV[(even and 13 or 12) + 4 * l])
  end
  local last = redis.call('LINDEX', turns, 0)
  if last then at = math.max(at, tonumber(last) + spacing) end
  local edge = redis.call('LINDEX', turns, most - 1)
  if edge then at = math.max(at, tonumber(edge) + second) end
  if bulk and now - tonumber(state[3] or '0') < 1000000 then
    at = math.max(at, tonumber(state[2] or '0'))
  end
  slowest = math.max(slowest, steady)
  waited = waited and now >= tonumber(state[2] or '0') + tonumber(ARGV[12]) * steady
end
-- Two turns further than live: else it would find each turn taken that it waited for.
if waited then horizon = tonumber(ARGV[11]) + 2 * slowest end
if at - now > horizon then
  return {'wait', string.format('%.0f', at - now - horizon), epoch}
end

local longest, rest = 0, 0
for w = first_window, #ARGV, 2 do longest = math.max(longest, tonumber(ARGV[w]) + late) end
for i = first_log, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', string.format('%.0f', now - longest))
  for w = first_window, #ARGV, 2 do
    local window, most = tonumber(ARGV[w]) + late, tonumber(ARGV[w + 1])
    if flushed > 0 and now - flushed < longest then most = math.ceil(most / 2) end
    local edge = redis.call('ZREVRANGE', KEYS[i], most - 1, most - 1, 'WITHSCORES')[2]
    if edge then rest = math.max(rest, tonumber(edge) + window - at) end
    if w == first_window and flushed > 0 then rest = math.max(rest, flushed + window - at) end
  end
end
if rest > 0 then
  return {'issue', string.format('%.0f', rest), epoch}
end

local score = string.format('%.0f', at)
for l = 1, lines do
  local most, steady = tonumber(ARGV[10 + 4 * l]), tonumber(ARGV[11 + 4 * l])
  local line, turns = KEYS[1 + l], KEYS[1 + lines + l]
  redis.call('HSETNX', line, 'born', score)
  if bulk then
    redis.call('HSET', line, 'bulk', string.format('%.0f', at + steady / share))
  else
    redis.call('HSET', line, 'live', string.format('%.0f', now))
  end
  redis.call('LPUSH', turns, score)
  redis.call('LTRIM', turns, 0, 3 * most - 1)
  redis.call('PEXPIRE', line, ttl)
  redis.call('PEXPIRE', turns, ttl)
end
for i = first_log, #KEYS do
  redis.call('ZADD', KEYS[i], score, ARGV[4])
  redis.call('PEXPIRE', KEYS[i], string.format('%.0f', longest / 1000 + 1000))
end
return {'granted', string.format('%.0f', at - now), epoch, score}
"""

GIVE_BACK = """
-- KEYS: the turns of each line. ARGV: when the unused turn was due.
for l = 1, #KEYS do redis.call('LREM', KEYS[l], 1, ARGV[1]) end
return 1
"""

MOVE = """
-- KEYS: the turns of each line. ARGV: when a turn was due, and when it counts from (empty: it
--       was not used), in pairs.
for l = 1, #KEYS do
  for m = 1, #ARGV, 2 do
    local where = redis.call('LPOS', KEYS[l], ARGV[m])
    if where and ARGV[m + 1] == '' then
      redis.call('LREM', KEYS[l], 1, ARGV[m])
    elseif where then
      redis.call('LSET', KEYS[l], where, ARGV[m + 1])
    end
  end
end
return 1
"""

PAUSE = """
-- KEYS: pause key. ARGV: milliseconds. A longer pause stays.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
end
return 1
"""

SLOW = """
-- KEYS: line, its turns. ARGV: microseconds, time to live (ms), how many turns of the last
--       second mean that it is us, for how long Jira refused (-1: it did not), how long ago
--       the request left that it answered
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local slow, paused = tonumber(ARGV[1]), tonumber(ARGV[4])
local left, recent = now - tonumber(ARGV[5]), 0
for _, at in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do
  if tonumber(at) > left - 1000000 and tonumber(at) <= left then recent = recent + 1 end
end
local what = recent < tonumber(ARGV[3]) and 'slow' or 'even'
local till = now + slow
if paused >= 0 then
  local refused = tonumber(redis.call('HGET', KEYS[1], 'refused') or '-1')
  -- Soon after the pause of an earlier refusal, not within it.
  if refused >= 0 and refused <= now and now <= refused + slow then what = 'slow' end
  till = till + paused
  local over = string.format('%.0f', math.max(refused, now + paused))
  redis.call('HSET', KEYS[1], 'refused', over)
end
local known = tonumber(redis.call('HGET', KEYS[1], what) or '0')
redis.call('HSET', KEYS[1], what, string.format('%.0f', math.max(known, till)))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
