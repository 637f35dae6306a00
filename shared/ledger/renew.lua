-- Extends the leases of one worker: its id, the lease in ms, then for each job its id, epoch, prompt tokens (0: not
-- known yet) and how many tokens of its log are none of the answer's. The counts are kept for an end without a worker.

local time = redis.call('TIME')
local now = math.floor((time[1] * 1e6 + time[2]) / 1000)
local worker, expiry = ARGV[1], now + ARGV[2]
local answers = {}
for i = 3, #ARGV, 4 do
  local id = ARGV[i]
  local job = redis.call('HMGET', 'job:' .. id, 'state', 'epoch', 'worker', 'deadline_ms', 'cancel', 'prompt',
    'uncounted')
  local answer = 'lost'
  if job[1] == 'running' and job[2] == ARGV[i + 1] and job[3] == worker then
    if tonumber(job[4]) <= now then
      -- Not extended: a worker that cannot end the job in the rest of its lease leaves that to the reaper.
      answer = 'expired'
    else
      redis.call('ZADD', 'jobs:leases', expiry, id)
      answer = job[5] == '1' and 'cancelled' or 'ok'
      if ARGV[i + 2] ~= '0' and (job[6] ~= ARGV[i + 2] or job[7] ~= ARGV[i + 3]) then
        redis.call('HSET', 'job:' .. id, 'prompt', ARGV[i + 2], 'uncounted', ARGV[i + 3])
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
