-- Health of AetherV's kinds for Argo CD, from their conditions (kstatus): the same for all five kinds.
-- A machine that is declared Stopped and is stopped is Ready, so Healthy.
local hs = { status = "Progressing", message = "Waiting for the control plane's first look" }
local status = obj.status or {}
local found = {}
for _, condition in ipairs(status.conditions or {}) do
  found[condition.type] = condition
end

local function text(condition)
  if condition.message ~= nil and condition.message ~= "" then
    return condition.reason .. ": " .. condition.message
  end
  return condition.reason or ""
end

if found.Paused ~= nil and found.Paused.status == "True" and obj.metadata.deletionTimestamp == nil then
  hs.status = "Suspended"
  hs.message = text(found.Paused)
  return hs
end
if status.observedGeneration == nil or status.observedGeneration ~= obj.metadata.generation then
  hs.message = "Waiting for the control plane to see the last change"
  return hs
end
if found.Stalled ~= nil and found.Stalled.status == "True" then
  -- Somebody has to say yes, or something has to be mended.
  hs.status = "Degraded"
  if found.Stalled.reason == "AwaitingApproval" then
    hs.status = "Suspended"
  end
  hs.message = text(found.Stalled)
  return hs
end
if obj.metadata.deletionTimestamp ~= nil then
  hs.message = "Is being deleted"
  return hs
end
if found.Ready == nil then
  return hs
end
hs.message = text(found.Ready)
if found.Ready.status == "True" then
  hs.status = "Healthy"
elseif found.Reconciling ~= nil and found.Reconciling.status == "True" then
  -- Also while the host does not answer: nothing is known then, which is not the same as broken.
  hs.status = "Progressing"
else
  hs.status = "Degraded"
end
return hs
