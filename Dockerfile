# One image, many roles: `docker run endcap start ad-server`.
FROM node:24-bookworm-slim AS build
WORKDIR /app
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./
COPY contracts/package.json contracts/
COPY platform/package.json platform/
COPY storage/package.json storage/
COPY auction/package.json auction/
COPY ranking/package.json ranking/
COPY models/package.json models/
COPY campaigns-api/package.json campaigns-api/
COPY orders/package.json orders/
COPY ad-server/package.json ad-server/
COPY pipeline/package.json pipeline/
COPY endcap/package.json endcap/
COPY bench/package.json bench/
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
