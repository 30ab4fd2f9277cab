//! Fuel: what calls are charged, and that nothing is free.

use crate::fixture::{Ended, call, running_within};
use crate::guest::Stage;
use crate::host::Host;
use fermata_core::FaultCode;
use fermata_core::limits::Limits;

const STORE_AND_KEY: &str = "(i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3)";

fn run(body: &str, value: &[u8], host: Host, fuel: u64) -> Ended {
    let limits = Limits {
        fuel,
        ..Limits::default()
    };
    let stage = Stage {
        pages: 32,
        ..Stage::process(body)
    };
    call(&mut running_within(&stage, &limits), value, host)
}

/// Fuel that a body uses on a small and on a large value, and how much more bytes the large one has.
fn difference(body: &str, host: fn(usize) -> Host) -> (u64, u64) {
    const SMALL: usize = 10;
    const LARGE: usize = 100_010;
    let [small, large] = [SMALL, LARGE].map(|size| {
        let ended = run(body, &vec![b'x'; size], host(size), 5_000_000);
        ended.result.expect("no failure").expect("no rejection");
        ended.fuel
    });
    (large - small, (LARGE - SMALL) as u64)
}

fn empty(_: usize) -> Host {
    Host::new()
}
fn filled(size: usize) -> Host {
    let mut host = Host::new();
    host.store.insert(b"key".to_vec(), vec![b'x'; size]);
    host
}

#[test]
fn host_calls_are_charged_by_the_bytes_that_they_carry() {
    // The module's own allocator is charged per page: some units more.
    let nothing = "(call $ok (i32.const 256) (i32.const 0))";
    let put = format!("(call $put {STORE_AND_KEY} (local.get $value) (local.get $value_len)) {nothing}");
    let get = format!("(call $get {STORE_AND_KEY} (i32.const 400)) {nothing}");
    let log = format!("(call $log (i32.const 0) (local.get $value) (local.get $value_len)) {nothing}");
    let timer = format!(
        "(call $set_timer (i32.const 24) (i32.const 3) (i64.const 9) (local.get $value) (local.get $value_len)) {nothing}"
    );
    let key =
        format!("(call $delete (i32.const 19) (i32.const 5) (local.get $value) (local.get $value_len)) {nothing}");
    let name = format!("(call $cancel_timer (local.get $value) (local.get $value_len)) {nothing}");
    let scan = format!(
        "(call $scan {STORE_AND_KEY} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 420)) {nothing}"
    );
    let (free, bytes) = difference(nothing, empty);
    assert!(free < bytes / 100, "a value that is not looked at costs {free}");
    for (body, host) in [
        (put, empty as fn(usize) -> Host),
        (get, filled),
        (log, empty),
        (timer, empty),
        (key, empty),
        (name, empty),
        (scan, filled),
    ] {
        let (more, bytes) = difference(&body, host);
        assert!(more >= bytes, "{body}: {bytes} bytes for {more} fuel");
        assert!(more < bytes * 2, "{body}: {bytes} bytes for {more} fuel");
    }
}

#[test]
fn entries_are_charged_beside_their_bytes() {
    let body = format!(
        "(call $scan {STORE_AND_KEY} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9999) (i32.const 420))
         (call $ok (i32.const 256) (i32.const 0))"
    );
    let with = |entries: u32| {
        let mut host = Host::new();
        for entry in 0..entries {
            host.store.insert(format!("key{entry:05}").into(), vec![]);
        }
        run(&body, b"", host, 5_000_000).fuel
    };
    let per_entry = (with(1_000) - with(0)) / 1_000;
    assert!(per_entry >= 100, "{per_entry}");
}

#[test]
fn every_call_costs_something() {
    let fuel = |body: &str| {
        run(
            &format!("{body} (call $ok (i32.const 256) (i32.const 0))"),
            b"",
            Host::new(),
            5_000_000,
        )
        .fuel
    };
    let idle = fuel("");
    for body in [
        "(drop (call $now))",
        "(drop (call $random))",
        "(call $id (i32.const 400))",
        "(call $root (i32.const 400))",
        "(call $add (i32.const 24) (i32.const 3) (i32.const 0) (i32.const 0) (i64.const 1))",
    ] {
        let cost = fuel(body) - idle;
        assert!(cost >= 200, "{body}: {cost}");
    }
}

#[test]
fn a_host_call_that_finds_fuel_short_is_not_made() {
    let body = format!(
        "(call $put {STORE_AND_KEY} (local.get $value) (local.get $value_len)) (call $ok (i32.const 256) (i32.const 0))"
    );
    let value = vec![b'x'; 10_000];
    let ended = run(&body, &value, Host::new(), 9_000);
    assert_eq!(ended.code(), FaultCode::Fuel);
    assert!(ended.host.calls.is_empty(), "{:?}", ended.host.calls);
    assert_eq!(ended.fuel, 9_000);
    let ended = run(&body, &value, Host::new(), 20_000);
    assert_eq!(ended.host.calls, ["put store key 10000"]);
}

#[test]
fn fuel_is_given_anew_for_each_record() {
    let stage = Stage::process(
        "(call $put (i32.const 19) (i32.const 5) (i32.const 24) (i32.const 3) (local.get $value) (local.get $value_len))
         (call $ok (i32.const 256) (i32.const 0))",
    );
    let limits = Limits {
        fuel: 1_000,
        ..Limits::default()
    };
    let mut instance = running_within(&stage, &limits);
    for _ in 0..10 {
        let ended = call(&mut instance, b"value", Host::new());
        assert!(ended.result.is_ok(), "{:?}", ended.result);
        assert!((200..1_000).contains(&ended.fuel), "{}", ended.fuel);
    }
}
