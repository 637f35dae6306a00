-- A gateway follows these jobs: each counts as abandoned only when its grace has passed without another such call.

local now = now_ms()
for _, id in ipairs(ARGV) do
  local job = redis.call('HMGET', 'job:' .. id, 'state', 'resume_grace_ms', 'cancel')
  if (job[1] == 'queued' or job[1] == 'running') and job[3] == '0' then
    attend(id, job[2], now)
  end
end
return 1
