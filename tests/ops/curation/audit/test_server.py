from __future__ import annotations

import io
import json
import re
import socket
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from ops.curation.audit.server import application, serve
from ops.curation.audit.session import Audit
from ops.curation.audit.verdict_store import AuditError
from ops.runtime.loopback_page import TOKEN_HEADER
from ops.runtime.project import Project

HOME = "http://127.0.0.1"


@pytest.fixture
def audit(audited: Project) -> Audit:
    return Audit.of(audited, 12, seed=3)


@pytest.fixture
def client(audit: Audit) -> TestClient:
    return TestClient(application(audit), base_url=HOME)


def embedded(client: TestClient) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', client.get("/").text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_the_page_holds_its_data_and_asks_nobody_else(client: TestClient, audit: Audit) -> None:
    answer = client.get("/")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    data = embedded(client)
    assert [clip["clip_id"] for clip in data["clips"]] == [row["clip_id"] for row in audit.sample]
    assert data["strata"] == {"kept": 9, "aesthetics": 1, "technical_quality": 2, "motion": 2, "shots": 1}
    assert (len(data["rows"]), data["changed"], len(data["version"])) == (15, 0, 32)
    texts = [answer.text, *(client.get(f"/web/{name}").text for name in re.findall(r"/web/([\w.]+)", answer.text))]
    assert len(texts) == 3
    namespace = "http://www.w3.org/2000/svg"
    assert not [text for text in texts if re.search(r"(https?:)?//[a-z0-9-]+\.", text.replace(namespace, ""))]


def test_a_name_in_the_data_cannot_end_the_script(audit: Audit) -> None:
    evil = "</script><script>alert(1)</script>"
    rows = [{**row, "path": evil} for row in audit.sample]
    client = TestClient(application(Audit(audit.project, rows, rows, 0, "v", audit.store)), base_url=HOME)
    assert evil not in client.get("/").text
    assert embedded(client)["clips"][0]["path"] == evil


def test_a_verdict_is_written_with_the_tables_version(client: TestClient, audit: Audit) -> None:
    data = embedded(client)
    clip = data["clips"][0]
    sent = {"clip_id": clip["clip_id"], "verdict": "reject"}
    assert client.post("/verdicts", json=sent, headers={TOKEN_HEADER: data["token"]}).status_code == 200
    (written,) = audit.store.read()
    assert (written.clip_id, written.verdict, written.version) == (clip["clip_id"], "reject", data["version"])
    assert written.rejected_by == clip["rejected_by"]
    assert embedded(client)["verdicts"] == [[clip["clip_id"], "reject"]]


@pytest.mark.parametrize("token", [None, "", "guess", "ü"])
def test_without_the_token_nothing_is_written(client: TestClient, audit: Audit, token: str | None) -> None:
    sent = {"clip_id": audit.sample[0]["clip_id"], "verdict": "accept"}
    headers = {} if token is None else {TOKEN_HEADER: token.encode()}
    assert client.post("/verdicts", json=sent, headers=headers).status_code == 403
    assert audit.store.read() == []


def test_every_start_has_its_own_token(audit: Audit) -> None:
    first, second = (embedded(TestClient(application(audit), base_url=HOME))["token"] for _ in range(2))
    assert first != second
    assert len(first) >= 43


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "[::1]", ""])
def test_other_host_names_are_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 403
    assert client.get("/", headers={"Host": "localhost:4000"}).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"clip_id": [], "verdict": "accept"}', b'{"clip_id": "x", "verdict": "accept"}']
)
def test_nonsense_is_refused(client: TestClient, audit: Audit, body: bytes) -> None:
    token = embedded(client)["token"]
    assert client.post("/verdicts", content=body, headers={TOKEN_HEADER: token}).status_code == 400
    wrong = {"clip_id": audit.sample[0]["clip_id"], "verdict": "perhaps"}
    assert client.post("/verdicts", json=wrong, headers={TOKEN_HEADER: token}).status_code == 400
    huge = {"clip_id": audit.sample[0]["clip_id"], "verdict": "accept", "more": "x" * 2000}
    assert client.post("/verdicts", json=huge, headers={TOKEN_HEADER: token}).status_code == 400
    assert audit.store.read() == []


def test_pictures_of_the_sample_and_no_others(audited: Project) -> None:
    audit = Audit.of(audited, 15, seed=3)
    client = TestClient(application(audit), base_url=HOME)
    ids = {row["path"]: row["clip_id"] for row in audit.rows}
    answer = client.get(f"/clips/{ids['pan0.mp4']}.jpg")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == (8 * 128, 2 * 96)
    lost = client.get(f"/clips/{ids['lost.mp4']}.jpg")
    assert (lost.status_code, lost.text[:26]) == (422, "This clip cannot be shown:")
    assert client.get("/clips/0000000000000000.jpg").status_code == 404
    for path in ("/web/page.html", "/web/..%2Fserver.py", "/web/nothing.js"):
        assert client.get(path).status_code == 404


def test_an_audit_goes_on_where_it_stopped(audited: Project, audit: Audit) -> None:
    """A verdict holds for the clip, so another sample or table takes it over."""
    clip = next(row for row in audit.sample if row["rejected_by"] is None)
    audit.judge(clip["clip_id"], "accept")
    again = Audit.of(audited, 15, seed=9)
    assert again.verdicts() == {clip["clip_id"]: "accept"}
    assert (again.precision()["kept"].right, again.precision()["kept"].judged) == (1, 1)
    again.judge(clip["clip_id"], "undo")
    assert audit.verdicts() == {}


def test_a_taken_port_and_a_second_audit_are_errors(audit: Audit) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ValueError, match="in use; choose another with --port"):
            serve(audit, other.getsockname()[1], lambda address: None)
    with audit.store.writing(), pytest.raises(AuditError, match="held by another audit"):
        serve(audit, 0, lambda address: None)
