-- Writes events of running jobs to their logs and channels: job id, epoch, first seq, last seq and JSON for each.
-- Without lib.lua: this is the path of every token. One entry's refusal leaves its neighbours alone.

local answers = {}
for i = 1, #ARGV, 5 do
  local id, epoch, last, event = ARGV[i], ARGV[i + 1], ARGV[i + 3], ARGV[i + 4]
  local key, log = 'job:' .. id, 'tok:' .. id
  local job = redis.call('HMGET', key, 'epoch', 'state', 'seq', 'cancel')
  local is_written = false
  if job[1] == epoch then
    if job[2] == 'running' and job[3] + 1 == tonumber(ARGV[i + 2]) then
      is_written = not redis.pcall('XADD', log, last .. '-0', 'd', event).err
      if is_written then
        redis.call('HSET', key, 'seq', last)
        redis.call('PUBLISH', 'c:' .. id, event)
      end
    elseif tonumber(job[3]) >= tonumber(last) then
      -- Sent again because its answer was lost: it counts as done only if the very same event is there.
      local entry = redis.call('XRANGE', log, last .. '-0', last .. '-0')[1]
      is_written = entry ~= nil and entry[2][2] == event
    end
  end
  answers[#answers + 1] = not is_written and 'fenced' or job[4] == '1' and 'cancelled' or 'ok'
end
return answers
