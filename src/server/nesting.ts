/** Far more than a list of objects has; what walks a body goes down with it, level by level. */
export const mostLevels = 100;

/** Whether a parsed body has containers more than `levels` deep in each other. Takes no stack, however deep it is. */
export const isDeeperThan = (body: unknown, levels: number): boolean => {
  let layer = [body].filter(isContainer);
  for (let level = 0; layer.length > 0; level += 1) {
    if (level >= levels) return true;
    layer = layer.flatMap((container) => Object.values(container).filter(isContainer));
  }
  return false;
};

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;
