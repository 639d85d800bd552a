"""The guard in front of pages without a login: foreign names, foreign origins, GraphQL by GET."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from ops.runtime.loopback import Guard

OWN = "http://127.0.0.1:3000"
FOREIGN = "http://evil.example"


async def answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse("done")


async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("done")
    await websocket.close()


ROUTES = [
    WebSocketRoute("/graphql", talk),
    Route("/{path:path}", answer, methods=["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE"]),
]


@pytest.fixture
def page() -> TestClient:
    return TestClient(Guard(Starlette(routes=ROUTES), ["127.0.0.1", "localhost", "[::1]", "soraflow.lan"]), OWN)


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "localhost:81", "LOCALHOST", "[::1]:3000", "[::1]", "soraflow.lan"])
def test_it_answers_to_its_own_names(page: TestClient, host: str) -> None:
    assert page.get("/", headers={"Host": host}).text == "done"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.", "", "::1"]
)
def test_it_answers_to_no_other_name(page: TestClient, host: str) -> None:
    """A foreign name that is pointed at this machine would make the browser take this page for the foreign site's."""
    assert page.get("/", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize(
    "origin", [FOREIGN, "null", "http://127.0.0.1:8888", "http://localhost:3000", f"{OWN}.evil.example"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_pages_of_other_origins_are_refused(page: TestClient, method: str, origin: str) -> None:
    assert page.request(method, "/graphql", headers={"Origin": origin}).status_code == 403


def test_its_own_page_may_do_everything(page: TestClient) -> None:
    assert page.post("/graphql", headers={"Origin": OWN, "Sec-Fetch-Site": "same-origin"}).text == "done"
    assert page.post("/graphql").text == "done", "a program is no page, and sends no Origin"
    behind_a_proxy = {"Host": "soraflow.lan", "Origin": "https://soraflow.lan"}
    assert page.post("/graphql", headers=behind_a_proxy).text == "done"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_link_from_elsewhere_is_followed_but_nothing_is_sent_from_there(page: TestClient, site: str) -> None:
    assert page.get("/runs/1", headers={"Sec-Fetch-Site": site}).text == "done"
    assert page.post("/graphql", headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "address", ["/graphql?query=mutation{x}", "/prefix/graphql/?a=1&query=", "/graphql?%71uery={x}"]
)
def test_no_graphql_by_a_link(page: TestClient, method: str, address: str) -> None:
    assert page.request(method, address).status_code == 403


def test_the_playground_of_graphql_opens(page: TestClient) -> None:
    assert page.get("/graphql").text == "done"


def test_websockets_are_for_its_own_page(page: TestClient) -> None:
    with page.websocket_connect("/graphql", headers={"Origin": OWN, "Host": "127.0.0.1:3000"}) as connection:
        assert connection.receive_text() == "done"
    for headers in ({"Origin": FOREIGN}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        with (
            pytest.raises(WebSocketDisconnect),
            page.websocket_connect("/graphql", headers={"Host": "127.0.0.1:3000", **headers}),
        ):
            pass
