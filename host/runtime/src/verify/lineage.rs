//! The host's headers on a record that a stage wrote.

use fermata_core::names::headers;
use fermata_core::{Header, Offset, Shard, Timestamp, record::header};

/// Where a record came from, as its headers say.
#[derive(Clone, Copy, Debug)]
pub struct Lineage<'a> {
    pub id: &'a str,
    pub cause: Cause<'a>,
    pub stage: &'a str,
    pub digest: &'a str,
    /// Journal sequence of the transaction that released its cause from quarantine.
    pub released: Option<u64>,
}

/// The input that led to a record. Its partition is the shard of the task that wrote the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// `topic/partition/offset`.
    Read {
        topic: &'a str,
        shard: Shard,
        offset: Offset,
    },
    /// `topic/partition/#steps`: processed before it had an offset. The root of its identity is that of the record.
    Fused {
        topic: &'a str,
        shard: Shard,
        steps: &'a str,
    },
    /// The same of the tick topic: a timer that fired at that tick.
    Tick { shard: Shard, at: Timestamp },
}

impl<'a> Cause<'a> {
    /// `id`: of the record whose cause it is. Topic names hold no slash, steps do.
    pub fn parse(text: &'a str, id: &str) -> Option<Self> {
        let (topic, rest) = text.split_once('/')?;
        let (shard, place) = rest.split_once('/')?;
        let shard = shard.parse().ok()?;
        let Some(steps) = place.strip_prefix('#') else {
            return Some(Self::Read {
                topic,
                shard,
                offset: place.parse().ok()?,
            });
        };
        Some(match tick(id) {
            Some((ticks, at)) if ticks == topic => Self::Tick { shard, at },
            _ => Self::Fused { topic, shard, steps },
        })
    }

    pub fn shard(&self) -> Shard {
        match *self {
            Self::Read { shard, .. } | Self::Fused { shard, .. } | Self::Tick { shard, .. } => shard,
        }
    }
}

/// Topic and time of the tick that an identity begins with, if it does.
pub fn tick(identity: &str) -> Option<(&str, Timestamp)> {
    let mut parts = root(identity).splitn(3, '/');
    let (topic, _shard, place) = (parts.next()?, parts.next()?, parts.next()?);
    Some((topic, place.strip_prefix('@')?.parse().ok()?))
}

impl<'a> Lineage<'a> {
    /// The error names the header that is missing or malformed.
    pub fn of(all: &'a [Header]) -> Result<Self, String> {
        let text = |name: &str| header(all, name).ok_or_else(|| format!("header {name} is missing"));
        let (id, cause) = (text(headers::ID)?, text(headers::CAUSE)?);
        let root_time = text(headers::ROOT_TIME)?;
        if root_time.parse::<i64>().is_err() {
            return Err(format!(
                "header {} is {root_time:?}, not a time in microseconds",
                headers::ROOT_TIME
            ));
        }
        Ok(Self {
            id,
            cause: Cause::parse(cause, id)
                .ok_or_else(|| format!("header {} is {cause:?}, not topic/partition/place", headers::CAUSE))?,
            stage: text(headers::STAGE)?,
            digest: text(headers::DIGEST)?,
            released: match header(all, headers::RELEASED) {
                None => None,
                Some(found) => Some(
                    found
                        .parse()
                        .map_err(|_| format!("header {} is {found:?}, not a journal sequence", headers::RELEASED))?,
                ),
            },
        })
    }
}

/// Stages that concluded a record in the transaction that appended it (`stage@generation,...`).
pub fn done(all: &[Header]) -> impl Iterator<Item = &str> {
    header(all, headers::DONE)
        .unwrap_or_default()
        .split(',')
        .filter(|mark| !mark.is_empty())
        .map(|mark| mark.split_once('@').map_or(mark, |(stage, _generation)| stage))
}

/// What a fused input's identity and the records it led to have in common: its root and its steps. Two inputs of one
/// task share it only when both stem from timers of one tick, hence within one transaction.
pub fn fused_key(identity: &str) -> String {
    let steps = identity.split_once('#').map_or("", |(_, steps)| steps);
    format!("{}#{steps}", root(identity))
}

/// The same key from a record that the fused input led to.
pub fn caused_key(id: &str, steps: &str) -> String {
    format!("{}#{steps}", root(id))
}

/// `topic/partition/offset` or, of a timer, the tick.
pub fn root(identity: &str) -> &str {
    identity.split(['#', '!']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::{Identity, StageName, Timestamp, TopicName};

    #[test]
    fn causes_parse_and_lead_back_to_the_fused_input() {
        assert_eq!(
            Cause::parse("payment.incoming/3/17", "any"),
            Some(Cause::Read {
                topic: "payment.incoming",
                shard: Shard(3),
                offset: Offset(17)
            })
        );
        assert_eq!(
            Cause::parse("a/0/#validate.0/account.1", "in/0/1#validate.0/account.1/x.0"),
            Some(Cause::Fused {
                topic: "a",
                shard: Shard(0),
                steps: "validate.0/account.1"
            })
        );
        assert_eq!(Cause::parse("a/b/c", "any"), None);

        let stage = StageName::new("account").unwrap();
        let topic = TopicName::new("p.ticks").unwrap();
        let mut input = Identity::root(&topic, Shard(1), Offset(2)).emission(&stage, 0);
        // Past the length at which identities fold, the key still joins a record to its cause.
        for _ in 0..60 {
            let output = input.emission(&stage, 1);
            let steps = input.as_str().split_once('#').unwrap().1;
            assert_eq!(caused_key(output.as_str(), steps), fused_key(input.as_str()));
            input = output;
        }
        let tick = Identity::tick(&topic, Shard(1), Timestamp(5));
        for timer in ["t", "t#x/y", &"long".repeat(80)] {
            let output = Identity::timer(&tick, &stage, timer).emission(&stage, 0);
            let at_tick = Cause::Tick {
                shard: Shard(1),
                at: Timestamp(5),
            };
            assert_eq!(Cause::parse("p.ticks/1/#", output.as_str()), Some(at_tick));
            // What follows from the timer's own record is caused by that record.
            let on = Cause::parse("out/1/#account.0", output.emission(&stage, 0).as_str());
            assert!(matches!(on, Some(Cause::Fused { .. })), "{on:?}");
        }
    }
}
