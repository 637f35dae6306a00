-- The outbox consumer has stored a final job: mark it, tell its channel, let the log go soon.

local id, event = ARGV[1], ARGV[2]
local job = read(id)
if not job or job.state == 'queued' or job.state == 'running' then
  return 0
end
redis.call('HSET', 'job:' .. id, 'stored', 1)
redis.call('PUBLISH', 'c:' .. id, event)
redis.call('PEXPIRE', 'tok:' .. id, STORED_LOG_TTL_MS, 'LT')
if job.is_idempotent ~= '1' then
  redis.call('PEXPIRE', 'job:' .. id, STORED_LOG_TTL_MS + TOMBSTONE_MS, 'LT')
end
return 1
