//! What to measure on Kafka.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaArgs {
    pub rounds: usize,
    /// Payments that are confirmed before the clock starts: a Java machine compiles what is hot.
    pub warm: u64,
    /// Payments of a backlog.
    pub payments: u64,
    /// Payments a second of the open loop.
    pub rate: u64,
    /// Length of the open loop.
    pub seconds: u64,
    /// Only how long Fermata is silent after SIGKILL, with few and with many accounts.
    pub recovery: bool,
    /// Accounts, few and many.
    pub accounts: [u64; 2],
    pub json: bool,
}

impl Default for KafkaArgs {
    fn default() -> Self {
        Self {
            rounds: 3,
            warm: 60_000,
            payments: 100_000,
            rate: 1_000,
            seconds: 30,
            recovery: false,
            accounts: [100_000, 2_000_000],
            json: false,
        }
    }
}

impl KafkaArgs {
    /// `None`: the words ask for another benchmark.
    pub fn parse(words: &[String]) -> Result<Option<Self>, String> {
        if !words.iter().any(|w| w == "--kafka" || w == "--kafka-recovery") {
            return Ok(None);
        }
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut text = || words.next().ok_or_else(|| format!("{word} takes a value"));
            let mut number = || {
                let text = text()?;
                text.parse::<u64>().map_err(|e| format!("{word} {text}: {e}"))
            };
            match word.as_str() {
                "--kafka" => {}
                "--kafka-recovery" => args.recovery = true,
                "--rounds" => args.rounds = usize::try_from(number()?).unwrap_or(usize::MAX),
                "--warm" => args.warm = number()?,
                "--payments" => args.payments = number()?,
                "--rate" => args.rate = number()?,
                "--seconds" => args.seconds = number()?,
                "--few" => args.accounts[0] = number()?,
                "--many" => args.accounts[1] = number()?,
                "-o" | "--output" => {
                    args.json = match text()?.as_str() {
                        "json" => true,
                        "table" => false,
                        other => return Err(format!("the output is table or json, not {other}")),
                    }
                }
                other => return Err(format!("{other:?} is not an option of the benchmark on Kafka")),
            }
        }
        let counts = [args.payments, args.rate, args.seconds, args.accounts[0]];
        if args.rounds == 0 || counts.contains(&0) || args.accounts[0] >= args.accounts[1] {
            return Err("at least one round, payment, second; and more of many than of few accounts".to_owned());
        }
        Ok(Some(args))
    }

    pub fn warm_up_seconds(&self) -> u64 {
        (self.seconds / 6).max(1)
    }
    /// Into the measured time, seconds.
    pub fn kill_at(&self) -> u64 {
        (self.seconds / 3).max(1)
    }
    /// Long enough for the slower side to come back and catch up.
    pub fn silence_seconds(&self) -> u64 {
        self.kill_at() + self.seconds.max(40)
    }
    /// Seconds in which everything must have ended.
    pub fn timeout(&self) -> u64 {
        120 + (self.warm + self.payments) / 500
    }
}

#[cfg(test)]
mod tests {
    use super::KafkaArgs;

    fn parse(words: &str) -> Result<Option<KafkaArgs>, String> {
        KafkaArgs::parse(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn words_of_other_benchmarks_are_left_to_them() {
        assert_eq!(parse("--rounds 5 --million"), Ok(None));
    }

    #[test]
    fn words_are_read_and_mistakes_told() {
        let args = parse("--kafka --rounds 1 --payments 5 --rate 7 -o json")
            .expect("right")
            .expect("Kafka's");
        assert_eq!((args.rounds, args.payments, args.rate, args.json), (1, 5, 7, true));
        assert!(
            parse("--kafka-recovery --few 10 --many 20")
                .expect("right")
                .expect("Kafka's")
                .recovery
        );
        for wrong in [
            "--kafka --rounds",
            "--kafka --rate x",
            "--kafka --rate 0",
            "--kafka --few 5 --many 5",
            "--kafka -o x",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
