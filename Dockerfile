# syntax=docker/dockerfile:1
FROM node:24.11.1-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY vendor ./vendor
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
COPY migrations ./migrations
COPY schema ./schema
RUN npm run build && npm prune --omit=dev

FROM node:24.11.1-bookworm-slim
ENV NODE_ENV=production \
    FEATUREGRAPH_HOST=0.0.0.0 \
    FEATUREGRAPH_PORT=4000 \
    FEATUREGRAPH_SCHEMA=/app/schema
WORKDIR /app
COPY --from=build --chown=root:root /app/package.json ./
COPY --from=build --chown=root:root /app/vendor ./vendor
COPY --from=build --chown=root:root /app/node_modules ./node_modules
COPY --from=build --chown=root:root /app/dist ./dist
COPY --from=build --chown=root:root /app/migrations ./migrations
COPY --from=build --chown=root:root /app/schema ./schema
COPY --from=build --chown=root:root /app/src/featuregraph.js ./src/featuregraph.js
# The embedded Postgres, if the image is run without an offline URL, keeps its data here.
RUN mkdir .featuregraph && chown node:node .featuregraph
USER node
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:'+process.env.FEATUREGRAPH_PORT+'/healthz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))"]
# node itself, not npm, so that it gets SIGTERM and finishes what is running.
CMD ["node", "src/featuregraph.js", "serve"]
