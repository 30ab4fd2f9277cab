//! What to measure.

/// A median of fewer pairs says little.
const FEWEST_ROUNDS: usize = 3;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// Pairs of Wasm and native.
    pub rounds: usize,
    /// Payments in a backlog.
    pub payments: u64,
    /// Payments a second of the open loop.
    pub rate: u64,
    /// Length of the open loop.
    pub seconds: u64,
    /// Only memory, after a million payments.
    pub million: bool,
    /// Only what a call of each stage costs.
    pub calls: bool,
    /// Only what a payment costs with few accounts and with many.
    pub accounts: bool,
    /// Only local state beside a changelog, by size.
    pub state: bool,
    pub json: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            rounds: FEWEST_ROUNDS,
            payments: 20_000,
            rate: 1_000,
            seconds: 20,
            million: false,
            calls: false,
            accounts: false,
            state: false,
            json: false,
        }
    }
}

impl Args {
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut args = Self::default();
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut number = || {
                let text = words.next().ok_or_else(|| format!("{word} takes a number"))?;
                text.parse::<u64>().map_err(|e| format!("{word} {text}: {e}"))
            };
            match word.as_str() {
                "--rounds" => args.rounds = usize::try_from(number()?).unwrap_or(usize::MAX),
                "--payments" => args.payments = number()?,
                "--rate" => args.rate = number()?,
                "--seconds" => args.seconds = number()?,
                "--million" => args.million = true,
                "--calls" => args.calls = true,
                "--accounts" => args.accounts = true,
                "--state" => args.state = true,
                "-o" | "--output" => args.json = output(words.next().as_deref())?,
                other => return Err(format!("{other:?} is not an option of the benchmark")),
            }
        }
        if args.rounds < FEWEST_ROUNDS || args.payments == 0 || args.rate == 0 || args.seconds == 0 {
            return Err(format!("at least {FEWEST_ROUNDS} rounds, and one payment in each"));
        }
        Ok(args)
    }
}

/// Is it JSON?
fn output(word: Option<&str>) -> Result<bool, String> {
    match word {
        Some("json") => Ok(true),
        Some("table") => Ok(false),
        other => Err(format!(
            "the output is table or json, not {}",
            other.unwrap_or("nothing")
        )),
    }
}
