//! Ports that stay a broker's own while it is down.

use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::net::TcpListener;
use uuid::Uuid;

/// Below those that the kernel gives to outgoing connections: nobody takes one while its broker restarts.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A port that is free now and that nobody else of this process is given.
pub fn port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock();
    for _ in 0..RANGE.len() {
        let random = Uuid::now_v7().as_u128() as u16;
        let port = RANGE.start + random % (RANGE.end - RANGE.start);
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
    panic!("no port of {RANGE:?} on 127.0.0.1 is free");
}
