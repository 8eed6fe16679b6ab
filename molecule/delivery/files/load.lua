-- Copyright: (c) 2026, fedops.flower contributors
-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- For wrk: asks for predictions, and counts the answers by status and by the round of the model that has answered.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"inputs": [[' .. string.rep("0.5,", 63) .. "0.5]]}"

local threads = {}

function setup(thread)
    table.insert(threads, thread)
end

function init()
    seen = ""
    counts = {}
end

function response(status, headers, body)
    local round = body:match('"package":"digits%-(%d+)%-%x+"') or "none"
    local key = status .. ":" .. round
    counts[key] = (counts[key] or 0) + 1
    seen = ""
    for name, count in pairs(counts) do
        seen = seen .. name .. "=" .. count .. ";"
    end
end

function done(summary)
    local total = {}
    for _, thread in ipairs(threads) do
        for name, count in string.gmatch(thread:get("seen"), "([^=;]+)=(%d+);") do
            total[name] = (total[name] or 0) + tonumber(count)
        end
    end
    local parts = {}
    for name, count in pairs(total) do
        table.insert(parts, string.format("%q: %d", name, count))
    end
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "failed": %d, "answers": {%s}}\n', summary.requests,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout, table.concat(parts, ", ")))
end
