//! Commands from inside the process, by the same way as from outside: through the log.

use super::{App, figures};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use fermata_core::control::{Command, VERSION, Verb};
use fermata_runtime::control::{CommandOutcome, Progress, append_command};
use std::time::{Duration, Instant};
use uuid::Uuid;

const LOOK: Duration = Duration::from_millis(2);
/// A command that changes a switch takes effect within a step of the controller.
const SWITCH_WAIT: Duration = Duration::from_secs(10);
/// Beyond the drain's own deadline.
const SLACK: Duration = Duration::from_secs(5);

/// Appends a command and waits for what comes of it.
pub fn carry_out(app: &App, author: &str, verb: Verb, wait: Duration) -> Result<CommandOutcome, Failure> {
    let id = Uuid::now_v7();
    let command = Command {
        v: VERSION,
        id,
        at: app.clock.now().0,
        author: author.to_owned(),
        reason: None,
        expect_epoch: None,
        verb,
    };
    append_command(&*app.log, &app.manifest, command)?;
    wait_for(app, wait, "a command", || {
        Ok(app.outcome(&id).filter(|o| o.progress != Progress::Running))
    })
}

/// Waits until `fact` gives something; a failure of the process ends the wait.
pub fn wait_for<T>(
    app: &App,
    wait: Duration,
    what: &str,
    mut fact: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + wait;
    loop {
        if let Some(found) = fact()? {
            return Ok(found);
        }
        if let Some(because) = app.failed() {
            return Err(Failure::failed(codes::LOG_FAILED, because));
        }
        if Instant::now() >= deadline {
            return Err(Failure::new(
                codes::CLI_TIMEOUT,
                Exit::TimedOut,
                format!("waited {} s for {what}", wait.as_secs()),
            ));
        }
        std::thread::sleep(LOOK);
    }
}

/// Takes in all that lies on the heads, then drains. `wait`: for the heads.
pub fn take_in_and_drain(app: &App, author: &str, wait: Duration) -> Result<(), Failure> {
    if app.fold().paused.is_some() {
        carry_out(app, author, Verb::Resume, SWITCH_WAIT)?;
    }
    wait_for(app, wait, "everything to be taken in", || {
        let read = figures::heads_read(app).map_err(|e| Failure::failed(codes::LOG_FAILED, e))?;
        Ok(read.then_some(()))
    })?;
    let timeout = app.manifest.drain.timeout;
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let outcome = carry_out(app, author, Verb::Drain { timeout_ms }, timeout + SLACK)?;
    match outcome.progress {
        Progress::Done => Ok(()),
        Progress::NotDrained { blocking, .. } => Err(Failure::new(
            codes::CONTROL_NOT_DRAINED,
            Exit::TimedOut,
            format!("not drained after {} s: {}", timeout.as_secs(), blocking.join("; ")),
        )),
        Progress::Refused { code, because } => Err(Failure::new(&code, Exit::Refused, because)),
        other => Err(Failure::failed(
            codes::CONTROL_REFUSED,
            format!("the drain ended as {other:?}"),
        )),
    }
}

/// Lets intake go on.
pub fn resume(app: &App, author: &str) -> Result<(), Failure> {
    carry_out(app, author, Verb::Resume, SWITCH_WAIT).map(drop)
}
