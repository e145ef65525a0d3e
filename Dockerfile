# syntax=docker/dockerfile:1
# Image with the service, and with the bridges that an init container copies into the controller's pod. Each stage runs a
# script of image/. tests/install/test_image.py runs the same scripts and starts the result. The base images do not enter the
# image, so their tags are enough: its packages have hashes in image/packages.lock and requirements/.

FROM --platform=$BUILDPLATFORM golang:1.26-trixie AS go
WORKDIR /src
COPY image/bridges image/
COPY skywalking_provider/__init__.py skywalking_provider/
COPY expr expr
COPY bridge bridge
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    expr/build && image/bridges /bridges

FROM --platform=$BUILDPLATFORM debian:trixie-slim AS root
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates curl python3
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY skywalking_provider skywalking_provider
COPY --from=go /src/skywalking_provider/conditions/expr/expr.wasm skywalking_provider/conditions/expr/
COPY --from=go /bridges /bridges
COPY image/root image/lib.sh image/fetch.py image/packages.lock image/
ARG TARGETARCH
ARG SOURCE_DATE_EPOCH
RUN --mount=type=cache,target=/var/cache/image IMAGE_CACHE=/var/cache/image image/root /image /bridges $TARGETARCH

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="skywalking-provider" \
      org.opencontainers.image.description="Apache SkyWalking metric provider for Argo Rollouts" \
      org.opencontainers.image.source="https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking" \
      org.opencontainers.image.documentation="https://github.com/skywalking-provider/rollouts-plugin-metric-skywalking/blob/main/docs/install.md" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=root /image/ /
ENV PATH=/usr/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
USER 999:999
EXPOSE 9464 9500
# For Docker; Kubernetes uses the probes of the chart.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["skywalking-provider", "health", "--socket", "/run/skywalking/provider.sock"]
ENTRYPOINT ["skywalking-provider"]
CMD ["serve", "--config", "/etc/skywalking-provider/config.yaml"]
