import { access } from "node:fs/promises";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply } from "fastify";

const notBuilt = "The console's page is not built. Build it with: npm run build\n";

/** Serves the built page: its files, and for every path that is a page's own its index.html. */
export const servePage = async (
  app: FastifyInstance,
  folder: string,
): Promise<(reply: FastifyReply) => FastifyReply> => {
  const index = join(folder, "index.html");
  const isBuilt = await access(index).then(
    () => true,
    () => false,
  );
  if (!isBuilt) return (reply) => reply.code(503).type("text/plain; charset=utf-8").send(notBuilt);
  await app.register(fastifyStatic, {
    root: folder,
    index: false,
    wildcard: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      // Their names carry a hash of what they hold.
      if (path.includes("/assets/")) reply.header("cache-control", "public, max-age=31536000, immutable");
    },
  });
  return (reply) => reply.type("text/html; charset=utf-8").sendFile("index.html");
};
