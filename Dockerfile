# syntax=docker/dockerfile:1
# One file for both services: docker build --build-arg SERVICE=consumer|producer .
# What runs is Node, one bundled file and nothing else: no npm, no node_modules, no shell, not root.

FROM node:22-slim AS build
ARG SERVICE
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
# The lockfile's versions, and no install scripts: esbuild's binary is a package of its own.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts
COPY tools/bundle.mjs tools/
COPY src src/
COPY services services/
RUN test "$SERVICE" = consumer -o "$SERVICE" = producer \
    || { echo "SERVICE is '$SERVICE'; expected consumer or producer" >&2; exit 2; } \
    && node tools/bundle.mjs "$SERVICE" \
    && cp ".evenkeel/build/$SERVICE.mjs" main.mjs

FROM gcr.io/distroless/nodejs22-debian12:nonroot
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /build/main.mjs ./
# The image's entry point is node; the services end themselves on SIGTERM. A small nursery saves memory: local/containers/images.ts.
CMD ["--max-semi-space-size=4", "main.mjs"]
