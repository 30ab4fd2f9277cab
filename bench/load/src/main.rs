//! Load generator and verifier for payment pipelines on Kafka. See ../README.md.
//!
//! payload topics  --create a,b --partitions 4 | --delete-prefix p
//! payload backlog --count M ...
//! payload open    --rate R --secs T --warmup W [--prefill A] [--kill-at S --restart-cmd C] ...

mod at;
mod setup;
mod wait;

use hdrhistogram::Histogram;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wait::block_on;

// Wall-clock microseconds that never step: wall time at start plus monotonic elapsed.
static BASE: OnceLock<(Instant, u64)> = OnceLock::new();
fn now_us() -> u64 {
    let (i, u) = BASE.get_or_init(|| {
        (
            Instant::now(),
            SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64,
        )
    });
    u + i.elapsed().as_micros() as u64
}

struct Args(HashMap<String, String>);
impl Args {
    fn get(&self, k: &str, d: &str) -> String {
        self.0.get(k).cloned().unwrap_or_else(|| d.to_string())
    }
    fn opt(&self, k: &str) -> Option<String> {
        self.0.get(k).cloned()
    }
    fn num<T: std::str::FromStr>(&self, k: &str, d: T) -> T {
        match self.0.get(k) {
            Some(v) => v.parse().unwrap_or_else(|_| panic!("--{k}: bad number {v}")),
            None => d,
        }
    }
}

const TEMPLATE: &str = r#"{"id":"{id}","txnId":"{id}","from":"{from}","to":"{to}","amount":{amount},"state":0,"timestamp":{sched},"processStartTime":0}"#;

struct Gen {
    template: String,
    key: String,
    prefix: String,
    accounts: u64,
    rng: u64,
}
impl Gen {
    fn rnd(&mut self) -> u64 {
        // splitmix64
        self.rng = self.rng.wrapping_add(0x9E3779B97F4A7C15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58476D1CE4E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D049BB133111EB);
        z ^ (z >> 31)
    }
    fn fill(&self, t: &str, n: u64, from: u64, to: u64, cents: u64, sched: u64) -> String {
        let mut out = String::with_capacity(t.len() + 96);
        let mut rest = t;
        while let Some(i) = rest.find('{') {
            out.push_str(&rest[..i]);
            rest = &rest[i..];
            let mut hit = false;
            for (name, val) in [
                ("{id}", format!("{}-{}", self.prefix, n)),
                ("{from}", format!("acc-{from}")),
                ("{to}", format!("acc-{to}")),
                ("{amount}", format!("{}.{:02}", cents / 100, cents % 100)),
                ("{cents}", cents.to_string()),
                ("{sched}", sched.to_string()),
                (
                    "{at}",
                    if rest.starts_with("{at}") {
                        at::rfc3339(sched)
                    } else {
                        String::new()
                    },
                ),
            ] {
                if rest.starts_with(name) {
                    out.push_str(&val);
                    rest = &rest[name.len()..];
                    hit = true;
                    break;
                }
            }
            if !hit {
                out.push('{');
                rest = &rest[1..];
            }
        }
        out.push_str(rest);
        out
    }
    fn payment(&mut self, n: u64, sched: u64) -> (String, String) {
        let from = self.rnd() % self.accounts;
        let mut to = self.rnd() % self.accounts;
        if to == from {
            to = (to + 1) % self.accounts;
        }
        self.pair(n, from, to, sched)
    }
    fn pair(&mut self, n: u64, from: u64, to: u64, sched: u64) -> (String, String) {
        let cents = 1 + self.rnd() % 1_000_00;
        (
            self.fill(&self.key, n, from, to, cents, sched),
            self.fill(&self.template, n, from, to, cents, sched),
        )
    }
}

struct Seen {
    counts: Vec<u8>,
    unique: u64,
    dups: u64,
    alien: u64,
    first_us: u64,
    last_us: u64,
    last_arrival_us: u64,
    hist: Histogram<u64>,
    win: (u64, u64),                   // scheduled-time window that counts for latency
    arrivals: Option<Vec<(u64, u64)>>, // (arrival, latency) when a timeline is wanted
    marks: Vec<u64>,                   // arrival of each 1% of `target`
    target: u64,
    skip: u64, // unique ids confirmed before the measured part
}

/// Value of a JSON field, number or string, by plain scanning.
fn field<'a>(b: &'a [u8], pat: &[u8]) -> Option<&'a [u8]> {
    let i = b.windows(pat.len()).position(|w| w == pat)? + pat.len();
    let mut s = &b[i..];
    while let [b' ' | b':', r @ ..] = s {
        s = r;
    }
    if let [b'"', r @ ..] = s {
        s = r;
    }
    let e = s
        .iter()
        .position(|c| matches!(c, b'"' | b',' | b'}' | b' '))
        .unwrap_or(s.len());
    Some(&s[..e])
}
fn digits(b: &[u8]) -> Option<u64> {
    std::str::from_utf8(b).ok()?.parse().ok()
}

fn client(a: &Args) -> ClientConfig {
    let mut c = ClientConfig::new();
    c.set("bootstrap.servers", a.get("bootstrap", "127.0.0.1:19092"));
    c
}

fn producer(a: &Args, linger: &str) -> ThreadedProducer<DefaultProducerContext> {
    client(a)
        .set("linger.ms", a.get("linger-ms", linger))
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "2000000")
        .set("queue.buffering.max.kbytes", "1048576")
        .create()
        .expect("producer")
}

fn send(p: &ThreadedProducer<DefaultProducerContext>, topic: &str, k: &str, v: &str) {
    loop {
        match p.send(BaseRecord::to(topic).key(k).payload(v)) {
            Ok(()) => return,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                std::thread::sleep(Duration::from_millis(2))
            }
            Err((e, _)) => panic!("send: {e}"),
        }
    }
}

fn start_consumer(a: &Args, seen: Arc<Mutex<Seen>>, stop: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let topic = a.get("out", "kpay.payments.confirmed");
    let id_pat = format!("\"{}\"", a.get("id-field", "txnId")).into_bytes();
    let ts_pat = format!("\"{}\"", a.get("sched-field", "timestamp")).into_bytes();
    let prefix = format!("{}-", a.get("id-prefix", "pay")).into_bytes();
    let c: BaseConsumer = client(a)
        .set("group.id", format!("kpay.verify.{}", now_us()))
        .set("isolation.level", a.get("isolation", "read_committed"))
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.error.backoff.ms", "10")
        .set("fetch.queue.backoff.ms", "10")
        .set("fetch.wait.max.ms", "100")
        .create()
        .expect("consumer");
    let md = c
        .fetch_metadata(Some(&topic), Duration::from_secs(10))
        .expect("metadata");
    let n = md.topics()[0].partitions().len() as i32;
    let mut tpl = TopicPartitionList::new();
    for p in 0..n {
        tpl.add_partition_offset(&topic, p, Offset::Beginning).unwrap();
    }
    c.assign(&tpl).unwrap();
    std::thread::spawn(move || {
        while !stop.load(Relaxed) {
            let m = match c.poll(Duration::from_millis(100)) {
                None => continue,
                Some(Err(e)) => {
                    eprintln!("consumer: {e}");
                    continue;
                }
                Some(Ok(m)) => m,
            };
            let now = now_us();
            let b = m.payload().unwrap_or(&[]);
            let id = field(b, &id_pat)
                .and_then(|v| v.strip_prefix(&prefix[..]))
                .and_then(digits);
            let sched = field(b, &ts_pat).and_then(digits);
            let mut s = seen.lock().unwrap();
            let (Some(id), Some(sched)) = (id, sched) else {
                s.alien += 1;
                continue;
            };
            let i = id as usize;
            if i >= s.counts.len() {
                s.counts.resize(i + 1 + i / 4, 0);
            }
            s.last_arrival_us = now;
            if s.counts[i] > 0 {
                s.counts[i] = s.counts[i].saturating_add(1);
                s.dups += 1;
                continue;
            }
            s.counts[i] = 1;
            s.unique += 1;
            if s.first_us == 0 {
                s.first_us = now;
            }
            s.last_us = now;
            if s.target > 0 && (s.unique - s.skip) * 100 >= (s.marks.len() as u64 + 1) * s.target {
                s.marks.push(now);
            }
            let lat = now.saturating_sub(sched);
            if sched >= s.win.0 && sched < s.win.1 {
                s.hist.record(lat.max(1)).unwrap();
            }
            if let Some(v) = s.arrivals.as_mut() {
                v.push((now, lat));
            }
        }
    })
}

fn cpu_s(pid: i32) -> f64 {
    if pid <= 0 {
        return 0.0;
    }
    let Ok(s) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return 0.0;
    };
    let rest = &s[s.rfind(')').unwrap() + 2..];
    let f: Vec<&str> = rest.split(' ').collect();
    let t: u64 = f[11].parse::<u64>().unwrap() + f[12].parse::<u64>().unwrap();
    t as f64 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
}
/// CPU seconds used by the whole machine (not idle, not iowait, not steal).
fn busy_s() -> f64 {
    let s = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let v: Vec<u64> = s
        .lines()
        .next()
        .unwrap_or("")
        .split_whitespace()
        .skip(1)
        .filter_map(|x| x.parse().ok())
        .collect();
    let busy: u64 = v.iter().take(7).sum::<u64>() - v.get(3).unwrap_or(&0) - v.get(4).unwrap_or(&0);
    busy as f64 / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
}
/// CPU seconds the hypervisor withheld.
fn steal_s() -> f64 {
    let s = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let t: f64 = s
        .lines()
        .next()
        .and_then(|l| l.split_whitespace().nth(8))
        .and_then(|x| x.parse().ok())
        .unwrap_or(0.0);
    t / unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as f64
}
fn mem_mb(pid: i32, key: &str) -> f64 {
    let s = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    for l in s.lines() {
        if let Some(v) = l.strip_prefix(key) {
            let v: f64 = v
                .trim_start_matches(':')
                .trim()
                .split(' ')
                .next()
                .unwrap()
                .parse()
                .unwrap_or(0.0);
            return v / 1024.0;
        }
    }
    0.0
}

struct System {
    child: Option<Child>,
    pid: i32,
    log: Option<String>,
}
impl System {
    fn spawn(a: &Args, cmd: &str) -> System {
        use std::os::unix::process::CommandExt;
        let log = a.opt("system-log");
        let mut c = Command::new("sh");
        c.arg("-c").arg(format!("exec {cmd}"));
        if let Some(l) = &log {
            let f = std::fs::OpenOptions::new().create(true).append(true).open(l).unwrap();
            c.stdout(f.try_clone().unwrap()).stderr(f);
        }
        // never outlive the load generator
        unsafe {
            c.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let ch = c.spawn().expect("system");
        let pid = ch.id() as i32;
        System {
            child: Some(ch),
            pid,
            log,
        }
    }
    fn start(a: &Args) -> System {
        match (a.opt("system-cmd"), a.opt("system-pid")) {
            (Some(c), _) => System::spawn(a, &c),
            (None, p) => System {
                child: None,
                pid: p.map_or(0, |p| p.parse().unwrap()),
                log: None,
            },
        }
    }
    fn check(&mut self) {
        if let Some(c) = self.child.as_mut() {
            if let Ok(Some(st)) = c.try_wait() {
                eprintln!("system died: {st} (log {:?})", self.log);
                std::process::exit(3);
            }
        }
    }
    fn kill9(&mut self) {
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        if let Some(c) = self.child.as_mut() {
            c.wait().unwrap();
        }
    }
    fn finish(&mut self) {
        let Some(c) = self.child.as_mut() else { return };
        unsafe { libc::kill(self.pid, libc::SIGTERM) };
        for _ in 0..150 {
            if c.try_wait().unwrap().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        c.kill().unwrap();
        c.wait().unwrap();
    }
}

fn r3(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

struct Out(String);
impl Out {
    fn new(mode: &str, a: &Args) -> Out {
        let mut o = Out(String::from("{"));
        o.s("mode", mode);
        o.s("label", &a.get("label", ""));
        o
    }
    fn sep(&mut self) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
    }
    fn n(&mut self, k: &str, v: f64) {
        self.sep();
        self.0 += &format!("\"{k}\":{}", r3(v));
    }
    fn s(&mut self, k: &str, v: &str) {
        self.sep();
        self.0 += &format!("\"{k}\":\"{}\"", v.replace('\\', "\\\\").replace('"', "\\\""));
    }
    fn done(mut self) {
        self.0.push('}');
        println!("{}", self.0);
    }
}

fn mem(o: &mut Out, pid: i32) {
    if pid > 0 {
        o.n("sys_rss_peak_mb", mem_mb(pid, "VmHWM"));
        o.n("sys_rss_mb", mem_mb(pid, "VmRSS"));
        o.n("sys_rssanon_mb", mem_mb(pid, "RssAnon"));
    }
}

fn wait_unique(seen: &Mutex<Seen>, sys: &mut System, target: u64, timeout_s: f64) -> bool {
    let t = Instant::now();
    loop {
        if seen.lock().unwrap().unique >= target {
            return true;
        }
        sys.check();
        if t.elapsed().as_secs_f64() > timeout_s {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn setup(a: &Args, cap: u64) -> (Gen, Arc<Mutex<Seen>>) {
    let accounts = a.num("accounts", 10_000u64);
    let g = Gen {
        template: a.get("template", TEMPLATE),
        key: a.get("key", "{id}"),
        prefix: a.get("id-prefix", "pay"),
        accounts,
        rng: a.num("seed", 42u64),
    };
    let s = Seen {
        counts: vec![0; cap as usize],
        unique: 0,
        dups: 0,
        alien: 0,
        first_us: 0,
        last_us: 0,
        last_arrival_us: 0,
        hist: Histogram::new_with_bounds(1, 600_000_000, 3).unwrap(),
        win: (u64::MAX, u64::MAX),
        arrivals: None,
        marks: vec![],
        target: 0,
        skip: 0,
    };
    (g, Arc::new(Mutex::new(s)))
}

fn backlog(a: &Args) {
    let m: u64 = a.num("count", 200_000);
    let warm: u64 = a.num("warm-count", 0); // confirmed before the measured backlog is poured in
    let broker: i32 = a.num("broker-pid", 0);
    let topic = a.get("in", "kpay.payments.incoming");
    let (mut g, seen) = setup(a, warm + m);
    let p = producer(a, "20");
    let mut pour = |from: u64, to: u64| {
        let t = Instant::now();
        for n in from..to {
            let (k, v) = g.payment(n, now_us());
            send(&p, &topic, &k, &v);
        }
        p.flush(Duration::from_secs(60)).unwrap();
        t.elapsed().as_secs_f64()
    };
    let me = std::process::id() as i32;
    let snap = |sys: i32| (cpu_s(sys), cpu_s(broker), cpu_s(me), busy_s(), steal_s());
    let stop = Arc::new(AtomicBool::new(false));
    let first_work = Arc::new(AtomicU64::new(0));
    let timeout = a.num("timeout", 240.0);
    let (mut preload_s, mut work0, mut watcher) = (0.0, 0, None);
    let h;
    let mut sys;
    let c0;
    let t_spawn;
    if warm == 0 {
        preload_s = pour(0, m);
        h = start_consumer(a, seen.clone(), stop.clone());
        seen.lock().unwrap().target = m;
        c0 = snap(0);
        t_spawn = now_us();
        sys = System::start(a);
        // first record written to the progress topic = the system has begun to work
        watcher = a.opt("progress").map(|pt| {
            let (fw, st, c) = (
                first_work.clone(),
                stop.clone(),
                client(a).create::<BaseConsumer>().unwrap(),
            );
            std::thread::spawn(move || {
                let n = c.fetch_metadata(Some(&pt), Duration::from_secs(10)).unwrap().topics()[0]
                    .partitions()
                    .len();
                while !st.load(Relaxed) {
                    for p in 0..n as i32 {
                        if let Ok((_, hi)) = c.fetch_watermarks(&pt, p, Duration::from_secs(5)) {
                            if hi > 0 {
                                fw.store(now_us(), Relaxed);
                                return;
                            }
                        }
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            })
        });
    } else {
        h = start_consumer(a, seen.clone(), stop.clone());
        sys = System::start(a);
        setup::run(a, &mut sys);
        pour(0, warm);
        if !wait_unique(&seen, &mut sys, warm, timeout) {
            eprintln!("warm-up incomplete");
        }
        std::thread::sleep(Duration::from_millis(2000));
        {
            let mut s = seen.lock().unwrap();
            s.first_us = 0;
            s.target = m;
            s.skip = s.unique;
        }
        c0 = snap(sys.pid);
        work0 = now_us();
        t_spawn = work0;
        preload_s += pour(warm, warm + m);
    }
    let ok = wait_unique(&seen, &mut sys, warm + m, timeout);
    let c1 = snap(sys.pid);
    let mut o = Out::new("backlog", a);
    mem(&mut o, sys.pid);
    std::thread::sleep(Duration::from_millis(a.num("linger-after-ms", 500))); // late duplicates
    stop.store(true, Relaxed);
    h.join().unwrap();
    if let Some(w) = watcher {
        w.join().unwrap();
    }
    sys.finish();
    let s = seen.lock().unwrap();
    let work = match (work0, first_work.load(Relaxed)) {
        (0, 0) => s.first_us,
        (0, w) => w.min(s.first_us.max(1)),
        (w, _) => w,
    };
    let span = |x: u64, y: u64| y.saturating_sub(x) as f64 / 1e6;
    let done = (s.unique - s.skip) as f64;
    o.s("complete", if ok { "yes" } else { "no" });
    o.n("count", m as f64);
    o.n("warm_count", warm as f64);
    o.n("unique", s.unique as f64);
    o.n("missing", (warm + m - s.unique.min(warm + m)) as f64);
    o.n("dups", s.dups as f64);
    o.n("alien", s.alien as f64);
    o.n("preload_s", preload_s);
    o.n("start_to_work_s", span(t_spawn, work));
    o.n("work_to_first_s", span(work, s.first_us));
    o.n("first_to_last_s", span(s.first_us, s.last_us));
    o.n("pps_first_last", done / span(s.first_us, s.last_us));
    o.n("pps_work", done / span(work, s.last_us));
    o.n("pps_spawn", done / span(t_spawn, s.last_us));
    if s.marks.len() >= 90 {
        o.n("pps_mid", s.target as f64 * 0.4 / span(s.marks[49], s.marks[89]));
    }
    let (sy, br, ld) = (c1.0 - c0.0, c1.1 - c0.1, c1.2 - c0.2);
    let wall = span(t_spawn, s.last_us);
    o.n("sys_cpu_s", sy);
    o.n("broker_cpu_s", br);
    o.n("load_cpu_s", ld);
    // CPU that neither system, broker nor load used: neighbours on the machine
    o.n("other_cpu_cores", (c1.3 - c0.3 - sy - br - ld) / wall);
    o.n("steal_cores", (c1.4 - c0.4) / wall);
    o.n("cpu_s_per_100k", (sy + br) * 1e5 / done);
    o.n("sys_cpu_per_100k", sy * 1e5 / done);
    o.n("broker_cpu_per_100k", br * 1e5 / done);
    o.done();
}

/// One system process, several measurements: warm up, pour a backlog, then an open loop per rate.
/// A rate written as `50%` is that share of the backlog throughput just measured.
fn suite(a: &Args) {
    let warm: u64 = a.num("warm-count", 60_000);
    let m: u64 = a.num("count", 100_000);
    let reps: u64 = a.num("bursts", 1);
    let (pw, ps): (f64, f64) = (a.num("warmup", 10.0), a.num("secs", 30.0));
    let broker: i32 = a.num("broker-pid", 0);
    let timeout = a.num("timeout", 120.0);
    let topic = a.get("in", "kpay.payments.incoming");
    let (mut g, seen) = setup(a, warm + m);
    let me = std::process::id() as i32;
    let snap = |sys: i32| (cpu_s(sys), cpu_s(broker), cpu_s(me), busy_s(), steal_s());
    let cpu_out = |o: &mut Out, c0: (f64, f64, f64, f64, f64), c1: (f64, f64, f64, f64, f64), wall: f64, n: f64| {
        let (sy, br, ld) = (c1.0 - c0.0, c1.1 - c0.1, c1.2 - c0.2);
        o.n("other_cpu_cores", (c1.3 - c0.3 - sy - br - ld) / wall);
        o.n("steal_cores", (c1.4 - c0.4) / wall);
        o.n("sys_cpu_per_100k", sy * 1e5 / n);
        o.n("broker_cpu_per_100k", br * 1e5 / n);
        o.n("load_cpu_per_100k", ld * 1e5 / n);
        o.n("cpu_s_per_100k", (sy + br) * 1e5 / n);
    };
    let stop = Arc::new(AtomicBool::new(false));
    let h = start_consumer(a, seen.clone(), stop.clone());
    let mut sys = System::start(a);
    setup::run(a, &mut sys);
    let p = producer(a, "1");
    let mut next = 0u64;
    let t = Instant::now();
    for n in 0..warm {
        let (k, v) = g.payment(n, now_us());
        send(&p, &topic, &k, &v);
    }
    next += warm;
    if !wait_unique(&seen, &mut sys, next, timeout) {
        eprintln!("warm-up incomplete");
    }
    eprintln!("warm {:.1} s", t.elapsed().as_secs_f64());
    let mut pps = 0.0;
    for _ in 0..reps {
        std::thread::sleep(Duration::from_millis(1500));
        let (c0, t0) = (snap(sys.pid), now_us());
        for n in next..next + m {
            let (k, v) = g.payment(n, now_us());
            send(&p, &topic, &k, &v);
        }
        p.flush(Duration::from_secs(60)).unwrap();
        let poured = now_us();
        next += m;
        let ok = wait_unique(&seen, &mut sys, next, timeout);
        let c1 = snap(sys.pid);
        let s = seen.lock().unwrap();
        let wall = (s.last_us - t0) as f64 / 1e6;
        pps = (m - (next - s.unique)) as f64 / wall;
        let mut o = Out::new("burst", a);
        o.s("complete", if ok { "yes" } else { "no" });
        o.n("count", m as f64);
        o.n("missing", (next - s.unique) as f64);
        o.n("dups", s.dups as f64);
        o.n("pour_s", (poured - t0) as f64 / 1e6);
        o.n("wall_s", wall);
        o.n("pps", pps);
        mem(&mut o, sys.pid);
        cpu_out(&mut o, c0, c1, wall, m as f64);
        o.done();
    }
    for r in a.get("rates", "").split(',').filter(|r| !r.is_empty()) {
        let rate = match r.strip_suffix('%') {
            Some(x) => (x.parse::<f64>().unwrap() / 100.0 * pps / 50.0).round() * 50.0,
            None => r.parse().unwrap(),
        };
        std::thread::sleep(Duration::from_millis(1000));
        let total = (rate * (pw + ps)) as u64;
        let t0 = now_us() + 10_000;
        let (m0, m1) = (t0 + (pw * 1e6) as u64, t0 + ((pw + ps) * 1e6) as u64);
        let dups0 = {
            let mut s = seen.lock().unwrap();
            s.win = (m0, m1);
            s.hist.reset();
            s.dups
        };
        let late = AtomicU64::new(0);
        let (mut c0, mut c1) = (snap(sys.pid), snap(sys.pid));
        std::thread::scope(|sc| {
            sc.spawn(|| {
                for i in 0..total {
                    let due = t0 + (i as f64 * 1e6 / rate) as u64;
                    let mut now = now_us();
                    while now < due {
                        std::thread::sleep(Duration::from_micros((due - now).min(1000)));
                        now = now_us();
                    }
                    if due >= m0 {
                        late.fetch_max(now - due, Relaxed);
                    }
                    let (k, v) = g.payment(next + i, due);
                    send(&p, &topic, &k, &v);
                }
                p.flush(Duration::from_secs(60)).unwrap();
            });
            let until = |t: u64| std::thread::sleep(Duration::from_micros(t.saturating_sub(now_us())));
            until(m0);
            c0 = snap(sys.pid);
            until(m1);
            c1 = snap(sys.pid);
        });
        next += total;
        let ok = wait_unique(&seen, &mut sys, next, a.num("drain", 30.0));
        let s = seen.lock().unwrap();
        let mut o = Out::new("open", a);
        o.s("complete", if ok { "yes" } else { "no" });
        o.n("rate", rate);
        o.n("missing", (next - s.unique) as f64);
        o.n("dups", (s.dups - dups0) as f64);
        o.n("measured", s.hist.len() as f64);
        for (k, q) in [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999)] {
            o.n(k, s.hist.value_at_quantile(q) as f64 / 1e3);
        }
        o.n("max_ms", s.hist.max() as f64 / 1e3);
        o.n("sender_late_max_ms", late.load(Relaxed) as f64 / 1e3);
        mem(&mut o, sys.pid);
        cpu_out(&mut o, c0, c1, ps, rate * ps);
        o.done();
        if !ok {
            break;
        }
    }
    stop.store(true, Relaxed);
    h.join().unwrap();
    sys.finish();
}

fn open(a: &Args) {
    let rate: f64 = a.num("rate", 1000.0);
    let warm: f64 = a.num("warmup", 20.0);
    let secs: f64 = a.num("secs", 30.0);
    let prefill: u64 = a.num("prefill", 0u64); // accounts touched before the clock starts
    let broker: i32 = a.num("broker-pid", 0);
    let kill_at: Option<f64> = a.opt("kill-at").map(|v| v.parse().unwrap()); // seconds after warm-up
    let topic = a.get("in", "kpay.payments.incoming");
    let total = (rate * (warm + secs)) as u64;
    let (mut g, seen) = setup(a, total + prefill / 2);
    let stop = Arc::new(AtomicBool::new(false));
    let h = start_consumer(a, seen.clone(), stop.clone());
    let mut sys = System::start(a);
    let setup_s = setup::run(a, &mut sys);
    let p = producer(a, "1");
    let mut prefill_s = 0.0;
    if prefill > 0 {
        let t = Instant::now();
        for n in 0..prefill / 2 {
            let (k, v) = g.pair(n, 2 * n, 2 * n + 1, now_us());
            send(&p, &topic, &k, &v);
        }
        if !wait_unique(&seen, &mut sys, prefill / 2, a.num("prefill-timeout", 400.0)) {
            eprintln!("prefill incomplete: {}", seen.lock().unwrap().unique);
        }
        prefill_s = t.elapsed().as_secs_f64();
    }
    std::thread::sleep(Duration::from_secs_f64(a.num("settle", 5.0)));
    let base = prefill / 2;
    let t0 = now_us() + 10_000;
    let m0 = t0 + (warm * 1e6) as u64;
    let m1 = m0 + (secs * 1e6) as u64;
    {
        let mut s = seen.lock().unwrap();
        s.win = (m0, m1);
        if kill_at.is_some() {
            s.arrivals = Some(Vec::with_capacity(total as usize));
        }
    }
    let late_max = Arc::new(AtomicU64::new(0));
    let lm = late_max.clone();
    let sender = std::thread::spawn(move || {
        for i in 0..total {
            let due = t0 + (i as f64 * 1e6 / rate) as u64;
            let mut now = now_us();
            while now < due {
                std::thread::sleep(Duration::from_micros((due - now).min(1000)));
                now = now_us();
            }
            if due >= m0 {
                lm.fetch_max(now - due, Relaxed);
            }
            let (k, v) = g.payment(base + i, due); // stamped with the *scheduled* time
            send(&p, &topic, &k, &v);
        }
        p.flush(Duration::from_secs(60)).unwrap();
    });
    let until = |t: u64| {
        let n = now_us();
        if t > n {
            std::thread::sleep(Duration::from_micros(t - n));
        }
    };
    until(m0);
    sys.check();
    let (s0, b0, l0, y0) = (
        cpu_s(sys.pid),
        cpu_s(broker),
        cpu_s(std::process::id() as i32),
        busy_s(),
    );
    let st0 = steal_s();
    let mut t_kill = 0;
    let mut peak_before = 0.0;
    if let Some(k) = kill_at {
        until(m0 + (k * 1e6) as u64);
        peak_before = mem_mb(sys.pid, "VmHWM");
        t_kill = now_us();
        sys.kill9();
        std::thread::sleep(Duration::from_millis(a.num("restart-delay-ms", 0)));
        let cmd = a.opt("restart-cmd").or(a.opt("system-cmd")).expect("--restart-cmd");
        sys = System::spawn(a, &cmd);
    }
    until(m1);
    sys.check();
    let (s1, b1, l1, y1) = (
        cpu_s(sys.pid),
        cpu_s(broker),
        cpu_s(std::process::id() as i32),
        busy_s(),
    );
    let st1 = steal_s();
    sender.join().unwrap();
    let ok = wait_unique(&seen, &mut sys, base + total, a.num("drain", 60.0));
    std::thread::sleep(Duration::from_millis(a.num("linger-after-ms", 500)));
    let mut o = Out::new("open", a);
    mem(&mut o, sys.pid);
    stop.store(true, Relaxed);
    h.join().unwrap();
    sys.finish();
    let s = seen.lock().unwrap();
    let missing = (0..(base + total) as usize)
        .filter(|&i| s.counts.get(i).copied().unwrap_or(0) == 0)
        .count();
    o.s("complete", if ok { "yes" } else { "no" });
    o.n("rate", rate);
    o.n("sent", (base + total) as f64);
    o.n("unique", s.unique as f64);
    o.n("missing", missing as f64);
    o.n("dups", s.dups as f64);
    o.n("alien", s.alien as f64);
    o.n("measured", s.hist.len() as f64);
    for (k, q) in [("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99), ("p999_ms", 0.999)] {
        o.n(k, s.hist.value_at_quantile(q) as f64 / 1e3);
    }
    o.n("max_ms", s.hist.max() as f64 / 1e3);
    o.n("sender_late_max_ms", late_max.load(Relaxed) as f64 / 1e3);
    if kill_at.is_none() {
        let per = 1e5 / (rate * secs);
        o.n("sys_cpu_per_100k", (s1 - s0) * per);
        o.n("broker_cpu_per_100k", (b1 - b0) * per);
        o.n("load_cpu_per_100k", (l1 - l0) * per);
        o.n("cpu_s_per_100k", (s1 - s0 + b1 - b0) * per);
        o.n("other_cpu_cores", (y1 - y0 - (s1 - s0) - (b1 - b0) - (l1 - l0)) / secs);
        o.n("steal_cores", (st1 - st0) / secs);
    }
    if setup_s > 0.0 {
        o.n("setup_s", setup_s);
    }
    if prefill > 0 {
        o.n("prefill_accounts", prefill as f64);
        o.n("prefill_s", prefill_s);
    }
    if let (Some(v), true) = (&s.arrivals, t_kill > 0) {
        let mut pre = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3).unwrap();
        let (mut gap, mut gap_end, mut prev) = (0u64, 0u64, 0u64);
        for &(t, l) in v {
            if t < t_kill && t >= m0 {
                pre.record(l.max(1)).unwrap();
            }
            if t > t_kill && prev > 0 && t - prev > gap {
                gap = t - prev;
                gap_end = t;
            }
            prev = t;
        }
        let limit = 2 * pre.value_at_quantile(0.99);
        let caught = v
            .iter()
            .filter(|&&(t, l)| t > t_kill && l > limit)
            .map(|x| x.0)
            .max()
            .unwrap_or(t_kill);
        o.n("pre_kill_p99_ms", pre.value_at_quantile(0.99) as f64 / 1e3);
        o.n("gap_ms", gap as f64 / 1e3);
        o.n("kill_to_resume_ms", gap_end.saturating_sub(t_kill) as f64 / 1e3);
        o.n("kill_to_caught_up_ms", (caught - t_kill) as f64 / 1e3);
        o.n("rss_peak_before_kill_mb", peak_before);
    }
    o.done();
}

fn topics(a: &Args) {
    let ad: AdminClient<DefaultClientContext> = client(a).create().unwrap();
    let opt = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    if let Some(c) = a.opt("create") {
        let n = a.num("partitions", 4);
        let ts: Vec<NewTopic> = c
            .split(',')
            .map(|t| NewTopic::new(t, n, TopicReplication::Fixed(1)))
            .collect();
        for r in block_on(ad.create_topics(ts.iter(), &opt)).unwrap() {
            if let Err((t, e)) = r {
                eprintln!("{t}: {e}");
            }
        }
    }
    if let Some(p) = a.opt("delete-prefix") {
        assert!(p.len() > 4, "prefix too short");
        let md = ad.inner().fetch_metadata(None, Duration::from_secs(10)).unwrap();
        let names: Vec<String> = md
            .topics()
            .iter()
            .map(|t| t.name().to_string())
            .filter(|n| n.starts_with(&p))
            .collect();
        let refs: Vec<&str> = names.iter().map(|s| s.as_str()).collect();
        if !refs.is_empty() {
            for r in block_on(ad.delete_topics(&refs, &opt)).unwrap() {
                if let Err((t, e)) = r {
                    eprintln!("{t}: {e}");
                }
            }
        }
        eprintln!("deleted {}", refs.len());
    }
}

fn main() {
    let mut it = std::env::args().skip(1);
    let mode = it.next().unwrap_or_default();
    let mut m = HashMap::new();
    while let Some(k) = it.next() {
        let k = k
            .strip_prefix("--")
            .unwrap_or_else(|| panic!("flag expected, got {k}"))
            .to_string();
        let v = it.next().unwrap_or_else(|| panic!("--{k} needs a value"));
        m.insert(k, v);
    }
    let a = Args(m);
    now_us();
    match mode.as_str() {
        "topics" => topics(&a),
        "backlog" => backlog(&a),
        "open" => open(&a),
        "suite" => suite(&a),
        _ => {
            eprintln!("usage: payload topics|backlog|open|suite --flag value ... (see README.md)");
            std::process::exit(2);
        }
    }
}
