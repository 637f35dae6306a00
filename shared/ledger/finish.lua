-- Ends a running job with its worker's final event: 'ok' (also when sent again) or 'fenced'.

local id, epoch, last_seq, state, reason, event, err = unpack(ARGV, 1, 7)
local job = read(id)
if not job or job.epoch ~= epoch or job.state == 'queued' then
  return 'fenced'
end
if job.state ~= 'running' then
  return 'ok'  -- sent again: any other way into a final state takes a new epoch
end
if job.seq ~= last_seq then
  -- Tokens are missing in the log (Redis lost its last writes): end it here and the client would lose them.
  return 'fenced'
end
finalise(job, {
  state = state, reason = reason, event = event, err = err,
  prompt = tonumber(ARGV[8]), completion = tonumber(ARGV[9]), cached = tonumber(ARGV[10]),
})
return 'ok'
