-- What wrk sends and what it reports: `wrk ... -s load.lua URL -- REQUEST_FILE DEPTH PAUSE_MS EVERY`.
--
-- The request file holds requests, each behind a line with its length. One request is sent again and
-- again: DEPTH copies of it leave as one write, and wrk counts DEPTH responses for each. Several are
-- sent in turn, by whichever connection is free. With a pause, a connection waits between a response
-- and its next request: at random, PAUSE_MS on average; with EVERY above zero, exactly PAUSE_MS after one
-- response in EVERY, and not at all after the others. At the end one line of JSON has what was seen; times
-- are in microseconds.

local function read_requests(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  local requests, at = {}, 1
  while at <= #text do
    local line_end = text:find("\n", at, true)
    local length = tonumber(text:sub(at, line_end - 1))
    requests[#requests + 1] = text:sub(line_end + 1, line_end + length)
    at = line_end + length + 1
  end
  return requests
end

function init(args)
  local requests = read_requests(args[1])
  local pause, every = tonumber(args[3]), tonumber(args[4])
  if #requests == 1 then
    local batch = string.rep(requests[1], tonumber(args[2]))
    -- wrk formats the request once and keeps it: no Lua runs during the measurement.
    wrk.format = function() return batch end
  else
    local count, next_one = #requests, 0
    function request()
      next_one = next_one % count + 1
      return requests[next_one]
    end
  end
  if every > 0 then
    local responses = 0
    function delay()
      responses = responses + 1
      return responses % every == 0 and pause or 0
    end
  elseif pause > 0 then
    function delay() return math.random(0, 2 * pause) end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_us": %d, "p99_us": %d, "max_us": %d, "errors": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    latency.max, e.connect + e.read + e.write + e.status + e.timeout))
end
