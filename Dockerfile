# docker build -t registry.example.com/aetherv:0.1.0 .
# The control plane with the agents that it puts on hosts. Runs as nobody, needs no shell and writes to /data only.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
COPY console/check ./console/check
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY controllers ./controllers
COPY agents ./agents
COPY console ./console
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json && node node_modules/vite/bin/vite.js build console
RUN npm sbom --omit=dev --sbom-format=cyclonedx --sbom-type=application > sbom.cdx.json
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="AetherV" \
      org.opencontainers.image.description="Hyper-V virtual machines, disks and network adapters as Kubernetes objects" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /opt/aetherv
COPY LICENSE ./
COPY crds ./crds
COPY --from=build /build/package.json /build/sbom.cdx.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY --from=build /build/agents ./agents
RUN ln -s /opt/aetherv/dist/src/app/main.js /usr/local/bin/aetherv \
    && chmod 0755 dist/src/app/main.js \
    && install -d -o 65532 -g 65532 -m 0700 /data
ENV AETHERV_DATA=/data
VOLUME /data
EXPOSE 8081
USER 65532:65532
ENTRYPOINT ["node", "/opt/aetherv/dist/src/app/main.js"]
CMD ["run", "--kubernetes"]
