"""The rule of circuits, run inside Redis: one script each, so that all workers see one state.

Times are microseconds of the Redis server's clock. See `LocalCircuit` for the same rule in Python.
No record is a closed circuit: what was open before a flush is still so in each worker's memory.
"""

ASK = """
-- KEYS: circuit. ARGV: may it probe, how long a probe may take
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local state = redis.call('HMGET', KEYS[1], 'opened', 'until', 'probe', 'since')
if tonumber(state[1] or '0') == 0 then
  if state[4] then return {'counting', '0'} end
  return {'closed', '0'}
end
local left = tonumber(state[2]) - now
if left > 0 then return {'open', string.format('%.0f', left)} end
if ARGV[1] ~= '1' or tonumber(state[3] or '0') > now then return {'half_open', '0'} end
redis.call('HSET', KEYS[1], 'probe', string.format('%.0f', now + tonumber(ARGV[2])))
return {'probe', '0'}
"""

TELL = """
-- KEYS: circuit. ARGV: what was heard, was it the probe, least, window, first and longest time
--       open, chance, time to live of an open circuit (ms)
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local heard, probe, window = ARGV[1], ARGV[2] == '1', tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'opened', 'since', 'failures', 'answers')
local opened = tonumber(state[1] or '0')

local function open()
  local grown = tonumber(ARGV[5]) * 2 ^ math.min(opened, 16)
  local time = math.min(tonumber(ARGV[6]), grown) * tonumber(ARGV[7])
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'opened', opened + 1, 'until', string.format('%.0f', now + time))
  redis.call('PEXPIRE', KEYS[1], ARGV[8])
  return {'open', string.format('%.0f', time)}
end

if opened > 0 then
  if probe and heard == 'failed' then return open() end
  if probe and heard == 'answered' then redis.call('DEL', KEYS[1]) end
  if probe and heard == 'nothing' then redis.call('HDEL', KEYS[1], 'probe') end
  return {'heard', '0'}
end

local failures, answers = tonumber(state[3] or '0'), tonumber(state[4] or '0')
if not state[2] or now - tonumber(state[2]) > window then
  if heard ~= 'failed' then return {'heard', '0'} end
  failures, answers = 0, 0
  redis.call('HSET', KEYS[1], 'since', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', window / 1000))
end
if heard == 'failed' then failures = failures + 1 else answers = answers + 1 end
if failures >= math.max(tonumber(ARGV[3]), answers) then return open() end
redis.call('HSET', KEYS[1], 'failures', failures, 'answers', answers)
return {'heard', '0'}
"""
