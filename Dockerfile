# One image with Hearth's three static binaries: the operator (/hearth), the node exporter (/node_exporter) and the
# config reloader (/reloader). Every pod that Hearth makes names its own binary.
FROM golang:1.26 AS build
WORKDIR /src
# The modules first: they are downloaded again only when go.mod or go.sum changes.
COPY go.mod go.sum ./
RUN go mod download
COPY main.go ./
COPY api/ api/
COPY controllers/ controllers/
COPY internal/ internal/
COPY exporter/ exporter/
COPY reloader/ reloader/
# Set by the builder; an image for another platform is cross-compiled.
ARG TARGETOS=linux
ARG TARGETARCH
ARG VERSION=dev
ENV CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH}
RUN go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/hearth . && \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/node_exporter ./exporter && \
    go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/reloader ./reloader

FROM scratch
LABEL org.opencontainers.image.title="Hearth" \
      org.opencontainers.image.description="A Prometheus monitoring stack from three declarations" \
      org.opencontainers.image.licenses="Apache-2.0"
# The operator and the reloader talk TLS to the API server with the cluster's own CA; the roots are for everything else.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /
# Nobody in particular, and never root: the number lets Kubernetes check runAsNonRoot without a passwd file.
USER 65532:65532
ENTRYPOINT ["/hearth"]
