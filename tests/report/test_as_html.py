"""The page in a real browser: it says the cause first, its filters work, and nothing in it comes alive."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stackdoctor.diagnose.outcomes import Outcomes
from stackdoctor.model import Cost, Evidence, Finding, Severity
from stackdoctor.report.as_html import to_html
from stackdoctor.report.html_data import page_data
from stackdoctor.report.html_scene import Burst, Part, Scene, Tunnel
from stackdoctor.report.report import NodeLine, Report

_SPEC = importlib.util.spec_from_file_location("browser", Path(__file__).parent / "browser.py")
assert _SPEC is not None
assert _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)

EVIL = "</script><img src=x onerror=alert(1)><!--<script>alert(2)</script>\x1b[2J\u202e'\"&amp;"

SCENE = Scene(
    parts={
        "controller": (Part("service", "nova-conductor", "stopped"), Part("service", "keystone")),
        "compute1": (Part("service", "nova-compute"), Part("bridge", "brq1"), Part("guest", "instance-1")),
    },
    tunnels=(Tunnel("compute1", "controller", "vxlan"),),
    bursts=(Burst("compute1", "log.messaging-timeout", "nova-compute", {29922830: 1, 29922831: 7}),),
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    program = _MODULE.chromium()
    if program is None:
        pytest.skip("no browser: the page was NOT tested; install chromium (bindep test)")
    started = _MODULE.Browser(program, tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Any:
    """Opens the page of a report and returns the browser, which may have complained of nothing at the end."""

    def show(report: Report, scene: Scene | None = None) -> Any:
        path = tmp_path / "report.html"
        path.write_text(to_html(report, scene), encoding="utf-8")
        browser.open(path)
        assert browser.run("document.documentElement.dataset.ready") == "yes", browser.complaints
        return browser

    yield show
    assert browser.run("1") == 1
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("file:///") or "report.html" not in url] == []


def shown(browser: Any) -> str:
    return str(browser.run("document.getElementById('shown').textContent"))


def texts(browser: Any, selector: str) -> list[str]:
    found = browser.run(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.textContent)")
    return [str(text) for text in found]


def change(browser: Any, name: str, value: str) -> None:
    browser.run(
        f"(() => {{ const field = document.getElementById('filter').elements[{name!r}]; field.value = {value!r};"
        " field.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def test_the_cause_is_the_headline_and_the_chain_is_drawn_over_the_cloud(show: Any, hung: Report) -> None:
    browser = show(hung, SCENE)
    assert texts(browser, "h1") == ["nova-conductor on controller is running but answers no RPC"]
    assert texts(browser, ".box .name") == ["controller", "compute1", "compute2", "storage"]
    assert texts(browser, ".chip.root text") == ["✖ nova-conductor"]
    assert texts(browser, ".box.failed .name") == ["storage"]
    assert texts(browser, ".box.origin .name") == ["controller"]
    assert len(texts(browser, "path.tunnel")) == 1
    assert len(texts(browser, ".chain .step")) == 4
    assert texts(browser, "header .facts")[0].startswith("certain 97 %")


def test_findings_are_filtered_by_node_severity_system_text_and_cause(show: Any, hung: Report) -> None:
    browser = show(hung)
    every = len(hung.findings)
    assert shown(browser) == f"{every} of {every} findings shown"
    change(browser, "nodes", "compute2")
    assert shown(browser).startswith(f"{sum((f.node or f.keys.get('host')) == 'compute2' for f in hung.findings)} of")
    browser.run("document.querySelector('#filter button[type=reset]').click()")
    browser.run("new Promise(done => setTimeout(done, 50))")
    assert shown(browser).startswith(f"{every} of")
    change(browser, "system", "clock")
    assert shown(browser).startswith("1 of")
    change(browser, "system", "")
    browser.run("document.querySelector('#filter input[value=error]').click()")
    assert shown(browser).startswith(f"{sum(f.severity != Severity.ERROR for f in hung.findings)} of")
    browser.run("document.querySelector('#filter input[value=error]').click()")
    change(browser, "text", "LEFT OVER")
    assert shown(browser).startswith("1 of")
    change(browser, "text", "")
    change(browser, "scope", "open")
    assert shown(browser).startswith("3 of")
    change(browser, "scope", "cause-0")
    assert shown(browser).startswith(f"{every - 3} of")


def test_a_record_is_folded_and_holds_its_raw_text(show: Any, hung: Report) -> None:
    browser = show(hung)
    assert texts(browser, "#list .finding") == []
    browser.run("document.querySelectorAll('#list .group > summary').forEach(e => e.click())")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert len(texts(browser, "#list .finding")) == len(hung.findings)
    raw = texts(browser, "#list .record pre")
    assert hung.findings[0].evidence[0].line in raw
    assert browser.run("[...document.querySelectorAll('#list .record')].some(e => e.open)") is False


def test_a_click_or_the_enter_key_on_a_node_shows_its_findings(show: Any, hung: Report) -> None:
    browser = show(hung)
    browser.run("document.querySelectorAll('.box .head')[2].dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    assert browser.run("document.getElementById('filter').elements.nodes.value") == "compute2"
    assert browser.run("document.activeElement.id") == "findings"
    browser.run("document.querySelectorAll('.box .head')[1].focus()")
    browser.press("Enter")
    assert browser.run("document.getElementById('filter').elements.nodes.value") == "compute1"


def test_the_time_line_zooms_with_buttons_and_keys(show: Any, hung: Report) -> None:
    browser = show(hung, SCENE)
    whole = browser.run("document.getElementById('range').textContent")
    assert "compute1 · log.messaging-timeout" in " ".join(texts(browser, ".lane-label"))
    browser.run("document.querySelector('.tools [aria-label=\"Zoom in\"]').click()")
    closer = browser.run("document.getElementById('range').textContent")
    assert closer != whole
    browser.run("document.getElementById('lanes').focus()")
    browser.press("+")
    assert browser.run("document.getElementById('range').textContent") not in (whole, closer)
    browser.run("document.querySelector('.tools [aria-label=\"The whole window\"]').click()")
    assert browser.run("document.getElementById('range').textContent") == whole


def test_the_first_tab_goes_to_the_skip_link_and_every_control_has_a_name(show: Any, eventful: Report) -> None:
    browser = show(eventful, SCENE)
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    unnamed = browser.run(
        "[...document.querySelectorAll('button, input, select, [role=button], [role=group], section')].filter(e =>"
        " !(e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.closest('label')"
        " || e.textContent.trim())).map(e => e.outerHTML)"
    )
    assert unnamed == []
    assert [len(texts(browser, mark)) for mark in ("header", "main", "footer", "h1", "[role=search]")] == [1] * 5
    assert browser.run("document.documentElement.lang") == "en"
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_what_is_over_and_what_is_silenced_is_told_apart(show: Any, eventful: Report) -> None:
    browser = show(eventful)
    rest = " ".join(texts(browser, "#rest"))
    for said in ("Earlier in this window (1)", "more memory than its watermark", "NTP comes with the new switch"):
        assert said in rest
    assert texts(browser, ".moment") == ["As of 2026-11-22 17:50:29Z, by logs alone."]


def test_what_became_of_each_check_and_what_the_look_cost_are_told(show: Any, hung: Report) -> None:
    paid = dataclasses.replace(hung.nodes[0], cost=Cost(seconds=3.0, cpu=1.5, bytes=2048, commands=40))
    looked = (
        Outcomes(("net.chains", "net.bridges"), ("compute2",), ("compute1",), ("controller",), ("storage",)),
        Outcomes(("api.endpoints",), (), (), (), ("",)),
    )
    browser = show(dataclasses.replace(hung, nodes=(paid, *hung.nodes[1:]), outcomes=looked))
    assert "Checks made (3)" in " ".join(texts(browser, "#rest h2"))
    assert texts(browser, ".outcome") == [
        "net.chains, net.bridges · found something on compute2; not looked at on storage; fine on compute1; "
        "nothing of it on controller",
        "api.endpoints · not looked at on the cloud as a whole",
    ]
    assert texts(browser, ".receipt") == ["Cost to the nodes: 1.5 s of processor, 2.0 KiB, 40 commands."]


def test_light_and_dark_are_both_there_and_paper_unfolds_everything(show: Any, hung: Report) -> None:
    browser = show(hung)
    browser.run("document.getElementById('theme').click()")
    one = browser.run("getComputedStyle(document.body).backgroundColor")
    browser.run("document.getElementById('theme').click()")
    assert browser.run("getComputedStyle(document.body).backgroundColor") != one
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('details:not([open])').length") == 0
    assert len(texts(browser, "#list .finding")) == len(hung.findings)
    browser.run("dispatchEvent(new Event('afterprint'))")
    assert browser.run("document.querySelectorAll('#list .group[open]').length") == 0


def test_hostile_text_is_shown_and_never_obeyed(show: Any, hung: Report) -> None:
    bad = Finding(
        EVIL, EVIL, node=EVIL, id="a.b", severity=Severity.CRITICAL, evidence=Evidence(EVIL, EVIL, EVIL), service=EVIL
    )
    cause = dataclasses.replace(
        hung.diagnoses[0],
        title=EVIL,
        why=EVIL,
        chain=(EVIL, EVIL),
        where={"node": EVIL, "service": EVIL},
        confirm=(EVIL,),
        evidence=bad.evidence,
        explains=(bad,),
        refs=("javascript:alert(1)", EVIL),
        unchecked=(EVIL,),
    )
    report = dataclasses.replace(
        hung,
        nodes=(NodeLine(EVIL, EVIL, "partial", EVIL, roles=frozenset((EVIL,))),),
        diagnoses=(cause,),
        findings=(bad,),
        unexplained=(),
        source=EVIL,
    )
    scene = Scene(
        {EVIL: (Part("service", EVIL, EVIL),)}, (Tunnel(EVIL, EVIL, EVIL),), (Burst(EVIL, "a.b", EVIL, {1: 1}),)
    )
    browser = show(report, scene)
    assert browser.run("document.querySelectorAll('img, iframe, object, embed, a[href^=javascript]').length") == 0
    assert browser.run("document.scripts.length") == 2
    assert texts(browser, "h1")[0].startswith("</script><img src=x onerror=alert(1)>")
    browser.run("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    browser.run("new Promise(done => setTimeout(done, 200))")
    assert (
        browser.run("document.body.innerText.includes('\\u202e') || document.body.innerText.includes('\\u001b')")
        is False
    )


def test_the_policy_of_the_page_forbids_every_other_script(show: Any, healthy: Report) -> None:
    browser = show(healthy)
    browser.run(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.evil = 1'}))"
    )
    browser.run("document.body.append(Object.assign(document.createElement('img'), {src: 'http://192.0.2.1/x.png'}))")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run("window.evil") is None
    assert len([said for said in browser.complaints if "Content Security Policy" in said]) == 2
    browser.complaints.clear()
    browser.requests.clear()


def many(hung: Report, number: int = 1000) -> Report:
    nodes = [
        hung.nodes[0],
        *(
            NodeLine(f"compute{n:04}", f"192.0.2.{n % 250}", "ok", "", 1.0, frozenset({"compute"}))
            for n in range(number)
        ),
    ]
    nodes[7] = dataclasses.replace(nodes[7], status="failed", reason="timed out")
    timeouts = [
        Finding(
            "nova-compute",
            f"nova-compute timed out {n} time(s)",
            node=node.name,
            id=id_,
            severity=Severity.WARNING,
            evidence=Evidence(node.name, "/var/log/nova/nova-compute.log:7", "x" * 300),
            first=hung.started - 60 - n % 40,
            last=hung.started - 2,
            count=n + 1,
            service="nova-compute",
            host=node.name,
            state="now",
        )
        for n, node in enumerate(nodes[1:])
        for id_ in ("log.rpc-timeout", "log.service-report-lost")
    ]
    cause = dataclasses.replace(
        hung.diagnoses[0],
        chain=(*hung.diagnoses[0].chain[:2], timeouts[0].message + "; likewise on 999 more"),
        explains=(*hung.diagnoses[0].explains[:2], *timeouts),
    )
    findings = (*hung.diagnoses[0].explains[:2], *timeouts)
    return dataclasses.replace(hung, nodes=tuple(nodes), diagnoses=(cause,), findings=findings, unexplained=())


def test_a_thousand_nodes_are_a_few_boxes_and_still_quick(show: Any, hung: Report) -> None:
    report = many(hung)
    browser = show(report)
    boxes = texts(browser, ".box .name")
    assert len(boxes) <= 16
    assert any(re.fullmatch(r"99\d × compute", name) for name in boxes)
    assert len(texts(browser, ".dot")) == 1001
    assert len(texts(browser, ".lane")) <= 36
    assert browser.run("document.querySelectorAll('*').length") < 12000
    took = browser.run(
        "(() => { const began = performance.now(); const f = document.getElementById('filter').elements.text;"
        " f.value = 'compute0500'; f.dispatchEvent(new Event('input', {bubbles: true}));"
        " return performance.now() - began; })()"
    )
    assert shown(browser) == "2 of 2002 findings shown"
    assert took < 2000
    assert len(to_html(report)) < 8_000_000


def test_a_healthy_cloud_says_so_and_an_unreachable_one_does_not(show: Any, healthy: Report) -> None:
    browser = show(healthy)
    assert texts(browser, "h1") == ["No fault found on 4 nodes."]
    assert browser.run("document.getElementById('verdict').className") == "fine"
    lost = tuple(dataclasses.replace(node, status="failed") for node in healthy.nodes)
    browser = show(dataclasses.replace(healthy, nodes=lost))
    assert browser.run("document.getElementById('verdict').className") == "unknown"


def test_without_scripts_the_report_stands_there_as_text(hung: Report) -> None:
    page = to_html(hung)
    aside = page[page.index("<noscript>") : page.index("</noscript>")]
    assert "nova-conductor on controller is running but answers no RPC" in aside
    assert "kill -CONT 39567" in aside


def test_the_data_never_ends_its_element_and_nothing_is_fetched(hung: Report) -> None:
    page = to_html(dataclasses.replace(hung, source=EVIL))
    data = page.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["source"].startswith("from </script><img")
    assert "<" not in data
    assert page.count("<script") == 2 + page.split("<noscript>")[1].split("</noscript>")[0].count("<script")
    assert re.findall(r"""(?:src|href)=["'](?!#)[^"']*""", page.split('<script type="application/json"')[0]) == []


def test_a_link_of_the_chain_names_the_findings_that_it_tells_of(hung: Report) -> None:
    timeouts = [f for f in hung.findings if f.id == "log.messaging-timeout"]
    cause = dataclasses.replace(
        hung.diagnoses[0], chain=("it hangs", f"{timeouts[0].message}; likewise on compute2", "else")
    )
    data = page_data(dataclasses.replace(hung, diagnoses=(cause,)), Scene())
    links = data["causes"][0]["chain"]
    assert [[data["findings"][i]["node"] for i in link["findings"]] for link in links] == [
        [],
        ["compute1", "compute2"],
        [],
    ]
