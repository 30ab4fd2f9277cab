//! What a person may ask of `generate`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// A second, where nothing else is asked for.
const RATE: u64 = 1_000;

#[derive(Clone, Debug, Args)]
pub struct GenerateArgs {
    /// Name of the generator in the manifest; not needed where there is only one
    pub generator: Option<String>,
    /// Records a second, open loop; 0: as fast as intake takes them (default: 1000)
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// How many, set-up not counted (default: until Ctrl-C, or the end of the file)
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// A backlog of so many: the same as --rate 0 --count N
    #[arg(long, value_name = "N", conflicts_with_all = ["rate", "count"])]
    backlog: Option<u64>,
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// First sequence number behind the set-up; of a file: how many records are passed over
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub from: u64,
    /// Skip the set-up records: an earlier run has taken them in
    #[arg(long)]
    pub no_setup: bool,
    /// Merged into the manifest's configuration of the generator (JSON object)
    #[arg(long, value_name = "JSON")]
    pub config: Option<String>,
    /// One entry of that configuration; a dot leads into a table (amount.max=500), a value is JSON where it reads as such
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Replay this file instead of a generator; `-`: stdin
    ///
    /// JSON lines are sent as they stand. A CSV file has a header; each row becomes a JSON object. A column named
    /// `size:number` (or `:text`, `:bool`, `:json`) has that type. Of any other column the first cell that is not
    /// empty decides: numbers if it is a JSON number, else texts. Numbers keep their digits, an empty cell is left out,
    /// and the manifest's key field is always a text.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["generator", "seed", "no_setup", "config", "set"])]
    pub file: Option<PathBuf>,
    /// Where the file's records go (default: the only head of the pipeline)
    #[arg(long, requires = "file")]
    pub topic: Option<String>,
    /// Of the file (default: by its name; stdin: jsonl)
    #[arg(long, value_enum, requires = "file")]
    pub format: Option<Format>,
    /// The first line that cannot be sent and the first record that is refused end the run
    #[arg(long)]
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Jsonl,
    Csv,
}

impl GenerateArgs {
    pub fn rate(&self) -> u64 {
        match self.backlog {
            Some(_) => 0,
            None => self.rate.unwrap_or(RATE),
        }
    }

    pub fn count(&self) -> Option<u64> {
        self.backlog.or(self.count)
    }
}
