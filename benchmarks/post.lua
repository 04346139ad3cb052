-- Posts files, in turn where there are several: wrk ... -- CONNECTION CONTENT-TYPE FILE [FILE ...]
-- CONNECTION is keep-alive, or close for a new connection each time. Prints what happened as one
-- line of JSON.
-- wrk itself counts the answers above 399; a response() that looks at each would slow both servers.

local function content(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init(args)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = args[2]
  if args[1] == "close" then
    wrk.headers["Connection"] = "close"
  end
  if #args == 3 then
    -- wrk then makes the request once, and never calls Lua again.
    wrk.body = content(args[3])
    return
  end
  local requests, turn = {}, 0
  for i = 3, #args do
    requests[i - 2] = wrk.format(nil, nil, nil, content(args[i]))
  end
  function request()
    turn = turn % #requests + 1
    return requests[turn]
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  local percentiles = {}
  for i, percentile in ipairs({50, 75, 90, 99, 99.9}) do
    percentiles[i] = string.format('"%g":%d', percentile, latency:percentile(percentile))
  end
  print(string.format(
    '\n{"requests":%d,"duration_us":%d,"errors":%d,"latency_us":{%s}}',
    summary.requests, summary.duration, failed, table.concat(percentiles, ",")))
end
