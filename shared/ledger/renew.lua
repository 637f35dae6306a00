-- Extends the leases of one worker: its id, the lease in ms, then job id and epoch for each.

local time = redis.call('TIME')
local now = math.floor((time[1] * 1e6 + time[2]) / 1000)
local worker, expiry = ARGV[1], now + ARGV[2]
local answers = {}
for i = 3, #ARGV, 2 do
  local id = ARGV[i]
  local job = redis.call('HMGET', 'job:' .. id, 'state', 'epoch', 'worker', 'deadline_ms', 'cancel')
  local answer = 'lost'
  if job[1] == 'running' and job[2] == ARGV[i + 1] and job[3] == worker then
    if tonumber(job[4]) <= now then
      -- Not extended: a worker that cannot end the job in the rest of its lease leaves that to the reaper.
      answer = 'expired'
    else
      redis.call('ZADD', 'jobs:leases', expiry, id)
      answer = job[5] == '1' and 'cancelled' or 'ok'
    end
  end
  answers[#answers + 1] = answer
end
return answers
