# One image, many roles: `docker run endcap start ad-server`.
FROM node:24-bookworm-slim AS manifests
WORKDIR /app
COPY . .
RUN mkdir /manifests && find . -mindepth 1 -maxdepth 2 \( -name package.json -o -name package-lock.json -o -name .npmrc \) \
  -exec cp --parents -t /manifests {} +

# Installs again only when a manifest changes.
FROM node:24-bookworm-slim AS build
WORKDIR /app
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY --from=manifests /manifests ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production ENDCAP_HOST=0.0.0.0 ENDCAP_DATA_DIR=/data
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["node", "--max-semi-space-size=64", "/app/dist/endcap/bin/endcap.js"]
CMD ["--help"]
