# syntax=docker/dockerfile:1
# Build: one wheel, installed with the locked versions into an environment of its own.
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY kvraft kvraft
COPY client client
COPY chaos/kvraft_chaos chaos/kvraft_chaos
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && python -m venv /opt/kvraft \
    && /opt/kvraft/bin/pip install --no-cache-dir --constraint constraints.txt \
        "kvraft[server,cli] @ file://$(ls /wheels/kvraft-*.whl)"

# Run: no compiler, no sources, no root.
FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 kvraft \
    && useradd --system --uid 10001 --gid kvraft --no-create-home --shell /usr/sbin/nologin kvraft \
    && install -d -o kvraft -g kvraft -m 0750 /var/lib/kvraft
COPY --from=build /opt/kvraft /opt/kvraft
ENV PATH=/opt/kvraft/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
VOLUME /var/lib/kvraft
EXPOSE 4379 4380
STOPSIGNAL SIGTERM
ENTRYPOINT ["kvraft"]
CMD ["--help"]
