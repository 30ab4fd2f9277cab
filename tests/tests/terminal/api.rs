//! The API without the command line: problem details, commands with `Location`, idempotent and guarded by the epoch.

use super::{PATIENCE, payments};
use fermata_tests::harness::{Answer, PIPELINE, Server, until};

const JSON: &str = "application/json";

fn problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.kind, "application/problem+json", "{answer:?}");
    assert_eq!(answer.body["status"], status, "{answer:?}");
    for name in ["type", "title", "code", "detail"] {
        assert!(
            answer.body[name].as_str().is_some_and(|t| !t.is_empty()),
            "no {name} in {answer:?}"
        );
    }
}

fn post(server: &Server, rest: &str, kind: &str, body: &str) -> Answer {
    server
        .post(&format!("{PIPELINE}{rest}"), kind, body)
        .unwrap_or_else(|e| panic!("POST {rest}: {e}"))
}

#[test]
fn every_refusal_is_a_problem_document() {
    let (_dir, server) = payments();
    let get = |rest: &str| server.get(&format!("{PIPELINE}{rest}"));
    for path in [
        "/nothing",
        "/api/v1/pipelines/other/status",
        "/api/v1/components/sha256:00",
    ] {
        problem(&server.get(path), 404);
    }
    for rest in [
        "/views/nothing",
        "/views/account/nobody",
        "/topics/nothing",
        "/deployments/99",
        "/dlq/0/99",
        "/commands/x",
    ] {
        problem(&get(rest), 404);
    }
    for rest in [
        "/topics/payment.incoming/records?limit=x",
        "/views/accounts?sort=colour",
        "/manifest?format=xml",
        "/dlq?limit=%zz",
    ] {
        problem(&get(rest), 400);
    }
    problem(&get("/pause"), 405);
    problem(&server.delete(&format!("{PIPELINE}/status")), 405);
    let intake = "/topics/payment.incoming/records";
    problem(&post(&server, intake, JSON, "{"), 400);
    problem(&post(&server, intake, "application/x-ndjson", "{}\n{\n"), 400);
    problem(&post(&server, intake, JSON, "{}"), 422);
    problem(&post(&server, intake, JSON, r#"{"id": {"not": "a key"}}"#), 422);
    problem(
        &post(&server, "/topics/payment.accepted/records?key=p", JSON, "{}"),
        409,
    );
    problem(
        &post(&server, "/topics/payments.journal/records?key=p", JSON, "{}"),
        409,
    );
    problem(&post(&server, "/pause", JSON, r#"{"colour": "blue"}"#), 400);
    problem(&post(&server, "/pause", JSON, "[]"), 400);
    problem(&post(&server, "/drain", JSON, r#"{"timeout": "soon"}"#), 400);
    problem(&post(&server, "/stages/account/deployments", JSON, "{}"), 400);
    problem(
        &post(
            &server,
            "/stages/acount/deployments",
            JSON,
            r#"{"component": "builtin:account@1.1.0"}"#,
        ),
        404,
    );
    problem(
        &post(
            &server,
            "/stages/account/deployments",
            JSON,
            r#"{"component": "builtin:account@9"}"#,
        ),
        404,
    );
    let upload = server
        .post("/api/v1/components", "application/wasm", "\u{7f}ELF native code")
        .expect("it answers");
    problem(&upload, 422);
    problem(&server.get_as("/api/v1/pipelines", "pipelines.example.com"), 421);
    assert_eq!(
        server.cli().json(&["status"])["state"],
        "Running",
        "nothing of this took effect"
    );
}

#[test]
fn the_way_in_says_where_everything_is() {
    let (_dir, server) = payments();
    let page = server.get("/");
    assert!(
        page.status == 200 && page.kind.starts_with("text/html") && page.text.contains("/api/v1"),
        "{page:?}"
    );
    assert_eq!(server.get("/livez").status, 200);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/readyz?verbose").body["shards"]["held"], 4);
    let all = server.get("/api/v1/pipelines");
    assert_eq!(all.body["pipelines"][0]["name"], "payments", "{all:?}");
    let one = server.get(PIPELINE);
    for url in one.body["urls"].as_array().expect("links") {
        let linked = server.get(url.as_str().expect("a path"));
        assert_eq!(linked.status, 200, "{linked:?}");
    }
    let topic = server.get(&format!("{PIPELINE}/topics/payment.incoming"));
    assert_eq!(
        (&topic.body["head"], &topic.body["key"]),
        (&true.into(), &"id".into()),
        "{topic:?}"
    );
    let manifest = server.get(&format!("{PIPELINE}/manifest?format=toml"));
    assert!(manifest.text.contains("[stage.account]"), "{manifest:?}");
}

#[test]
fn a_command_is_followed_by_its_location_and_taken_once() {
    let (_dir, server) = payments();
    let paused = post(&server, "/pause", JSON, r#"{"reason": "look"}"#);
    assert_eq!(paused.status, 202, "{paused:?}");
    let location = paused
        .location
        .clone()
        .unwrap_or_else(|| panic!("no Location: {paused:?}"));
    until("the command is answered", PATIENCE, || {
        let outcome = server.get(&location);
        if outcome.body["outcome"] == "done" {
            Ok(())
        } else {
            Err(outcome)
        }
    });
    let id = paused.body["id"].as_str().expect("an id");
    let epoch = server.get(&format!("{PIPELINE}/status")).body["epoch"]
        .as_u64()
        .expect("a number");
    // Sent again under the same id, it is the same command: nothing happens a second time.
    let again = server.post_with(&format!("{PIPELINE}/pause"), &[("idempotency-key", id)], "{}");
    assert_eq!(again.status, 202, "{again:?}");
    assert_eq!(again.body["id"], paused.body["id"]);
    let stale = server.post_with(
        &format!("{PIPELINE}/resume"),
        &[("if-match", &(epoch - 1).to_string())],
        "{}",
    );
    problem(&stale, 412);
    assert_eq!(stale.body["code"], "F0401", "{stale:?}");
    let fresh = server.post_with(
        &format!("{PIPELINE}/resume"),
        &[("if-match", &format!("\"{epoch}\""))],
        "{}",
    );
    assert_eq!(fresh.status, 202, "{fresh:?}");
    until("it runs again", PATIENCE, || {
        let status = server.get(&format!("{PIPELINE}/status"));
        if status.body["state"] == "Running" {
            Ok(())
        } else {
            Err(status)
        }
    });
}
