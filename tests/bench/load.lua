-- What wrk sends and what it reports: `wrk ... -s load.lua URL -- REQUEST_FILE DEPTH`.
--
-- The request file holds the bytes of one request; DEPTH copies of them leave as one write, and wrk
-- counts DEPTH answers for each. At the end one line of JSON tells what was seen; times are in
-- microseconds.

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local request = file:read("*a")
  file:close()
  local batch = string.rep(request, tonumber(args[2]))
  -- wrk asks once for the formatted request and keeps it: no Lua runs during the measurement.
  wrk.format = function() return batch end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "max_us": %d, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
