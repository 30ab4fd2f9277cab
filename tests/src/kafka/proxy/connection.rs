//! One connection: requests on one thread, answers on another.

use super::Shared;
use super::protocol::Frame;
use super::rules::Fault;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub struct Connection(Arc<Wires>);

struct Wires {
    client: TcpStream,
    broker: TcpStream,
    /// Which broker that is, from 0.
    node: usize,
    closed: Mutex<bool>,
    /// What becomes of answers that are still to come, by correlation id.
    answers: Mutex<BTreeMap<i32, Answer>>,
}

enum Answer {
    Late(Duration),
    /// And the connection with it, perhaps.
    Lost {
        cut: bool,
    },
}

impl Connection {
    pub(super) fn start(client: TcpStream, broker: TcpStream, node: usize, shared: &Arc<Shared>) -> io::Result<Self> {
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        let wires = Arc::new(Wires {
            client,
            broker,
            node,
            closed: Mutex::new(false),
            answers: Mutex::default(),
        });
        for pass in [Wires::requests, Wires::answers] {
            let (wires, shared) = (wires.clone(), shared.clone());
            thread::spawn(move || {
                // An end of either side, or a fault: the other side is told by the cut.
                let _ = pass(&wires, &shared);
                wires.cut();
            });
        }
        Ok(Self(wires))
    }

    /// False: it was closed already.
    pub fn cut(&self) -> bool {
        self.0.cut()
    }
    pub fn broker(&self) -> usize {
        self.0.node
    }
    pub fn open(&self) -> bool {
        !*self.0.closed.lock()
    }
}

impl Wires {
    fn requests(&self, shared: &Shared) -> io::Result<()> {
        loop {
            let frame = Frame::read(&mut &self.client)?;
            shared.wait(self.node);
            let fault = frame.key().and_then(|key| shared.rules.lock().judge(key));
            let answer = match fault {
                None => None,
                Some(Fault::CutBefore) => return Ok(()),
                Some(Fault::CutAfter) => Some(Answer::Lost { cut: true }),
                Some(Fault::Swallow) => Some(Answer::Lost { cut: false }),
                Some(Fault::DelayAnswer(time)) => Some(Answer::Late(time)),
                Some(Fault::DelayRequest(time)) => {
                    thread::sleep(time);
                    None
                }
            };
            if let (Some(answer), Some(id)) = (answer, frame.correlation()) {
                self.answers.lock().insert(id, answer);
            }
            (&self.broker).write_all(frame.bytes())?;
        }
    }

    fn answers(&self, shared: &Shared) -> io::Result<()> {
        loop {
            let frame = Frame::read(&mut &self.broker)?;
            shared.wait(self.node);
            let planned = frame.answered().and_then(|id| self.answers.lock().remove(&id));
            match planned {
                Some(Answer::Lost { cut: true }) => return Ok(()),
                Some(Answer::Lost { cut: false }) => continue,
                Some(Answer::Late(time)) => thread::sleep(time),
                None => {}
            }
            (&self.client).write_all(frame.bytes())?;
        }
    }

    fn cut(&self) -> bool {
        let mut closed = self.closed.lock();
        // Either side may have gone by itself.
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
        !std::mem::replace(&mut *closed, true)
    }
}
