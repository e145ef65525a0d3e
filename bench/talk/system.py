"""Requests to the APIs of the system: Kubernetes, Argo CD and SkyWalking."""

import ssl
import time
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from bench.talk.mesh import NAMESPACE, NODE_ADDRESS
from bench.talk.snapshot import Object, Snapshot, parse_snapshot
from bench.talk.ways import WayPlan

KUBERNETES = f"https://{NODE_ADDRESS}:6443"
ARGO_CD = "http://127.0.0.1:8443"
OAP = "http://127.0.0.1:12800/graphql"
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_NOT_FOUND: dict[str, Any] = {}


class System:
    """Client of the system's APIs. A request that fails raises aiohttp's error; an absent object is empty."""

    def __init__(self, lab: Path, plan: WayPlan) -> None:
        self._lab, self._plan = lab, plan
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def list_pods(self) -> list[Object]:
        """Return the pods of the namespace."""
        return await self._list(f"api/v1/namespaces/{NAMESPACE}/pods")

    async def take_snapshot(self) -> Snapshot:
        """Read the state of all parts."""
        argo = f"apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}"
        istio = f"apis/networking.istio.io/v1/namespaces/{NAMESPACE}"
        service = await self._get(f"{istio}/virtualservices/reviews")
        at = time.time()
        application = await self._get(
            f"apis/argoproj.io/v1alpha1/namespaces/argocd/applications/{self._plan.application}"
        )
        rollout = await self._get(f"{argo}/rollouts/{self._plan.rollout}")
        runs = await self._list(f"{argo}/analysisruns")
        tree = await self._read_tree() if application else _NOT_FOUND
        return parse_snapshot(at, application, tree, rollout, service, runs)

    async def query_oap(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send a GraphQL query to the OAP and return its data."""
        async with self._session.post(OAP, json={"query": query, "variables": variables}) as response:
            response.raise_for_status()
            body = await response.json()
        if errors := body.get("errors"):
            raise aiohttp.ClientError(f"OAP rejected the query: {errors[0]['message']}")
        data: dict[str, Any] = body["data"]
        return data

    # Both files exist once the API server has started. One context for all requests keeps their connection.
    @cached_property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {(self._lab / 'pki/token').read_text().strip()}"}

    @cached_property
    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self._lab / "pki/apiserver.crt"))

    async def _read_tree(self) -> dict[str, Any]:
        url = f"{ARGO_CD}/api/v1/applications/{self._plan.application}/resource-tree"
        async with self._session.get(url) as response:
            if not response.ok:
                return _NOT_FOUND
            tree: dict[str, Any] = await response.json()
            return tree

    async def _list(self, path: str) -> list[Object]:
        items: list[Object] = (await self._get(path)).get("items", [])
        return items

    async def _get(self, path: str) -> dict[str, Any]:
        async with self._session.get(f"{KUBERNETES}/{path}", headers=self._headers, ssl=self._context) as response:
            if response.status == 404:
                return _NOT_FOUND
            response.raise_for_status()
            found: dict[str, Any] = await response.json()
            return found
