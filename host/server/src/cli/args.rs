//! The command line: one type for each verb that is due.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const DEFAULT_LISTEN: &str = "127.0.0.1:8640";

#[derive(Debug, Parser)]
#[command(
    name = "fermata",
    version,
    about = "Swap any stage of a live pipeline during a pause so short nobody hears it",
    propagate_version = false,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Pipeline; not needed where the server runs only one
    #[arg(short, long, global = true, env = "FERMATA_PIPELINE", value_name = "NAME")]
    pub pipeline: Option<String>,
    /// Server to talk to
    #[arg(
        long,
        global = true,
        env = "FERMATA_SERVER",
        default_value = "http://127.0.0.1:8640",
        value_name = "URL"
    )]
    pub server: String,
    /// Form of the output
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Table)]
    pub output: Output,
    /// Wait until the command has taken effect
    #[arg(long, global = true)]
    pub wait: bool,
    /// How long to wait, as 200ms, 60s or 5m
    #[arg(long, global = true, value_parser = duration, value_name = "TIME")]
    pub timeout: Option<Duration>,
    /// Why, for the record
    #[arg(long, global = true, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// No colours (also: NO_COLOR)
    #[arg(long, global = true)]
    pub no_color: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Table,
    Json,
    /// Commands for kafka-topics.sh and kafka-configs.sh; only of `topics plan`
    KafkaTopics,
}

/// Which environment of a manifest holds.
#[derive(Clone, Debug, Default, Args)]
pub struct EnvArg {
    /// Environment of the manifest that lies over the rest: env.<NAME> = { ... }
    #[arg(long = "env", env = "FERMATA_ENV", value_name = "NAME")]
    name: Option<String>,
}

impl EnvArg {
    /// Set to nothing is not set.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref().filter(|name| !name.is_empty())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    fermata_core::manifest::parse::parse_duration(text)
        .ok_or_else(|| "expected a duration such as 200ms, 60s or 5m".to_owned())
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run an example pipeline (default: payments) under load in a fresh folder
    Demo(DemoArgs),
    /// Run a pipeline until Ctrl-C or SIGTERM
    Run(RunArgs),
    /// Load for a running server: from a generator of the pipeline, or replayed from a file
    Generate(super::generate::GenerateArgs),
    /// Build the crate in this folder into a component
    Build(super::build::BuildArgs),
    /// Take records in at a head topic, one a line
    Produce(ProduceArgs),
    /// Print records of a topic
    Consume(ConsumeArgs),
    /// Ask the stages
    #[command(subcommand)]
    View(ViewVerb),
    /// How the pipeline is
    Status,
    /// Stop intake at the head
    Pause,
    /// Let intake go on
    Resume,
    /// Pause, then let everything in flight end
    Drain,
    /// Move a stage to another component while records flow
    Deploy(DeployArgs),
    /// Take the last deployment of a stage back
    Rollback { stage: String },
    /// What was deployed
    Deployments {
        #[command(subcommand)]
        verb: Option<DeploymentsVerb>,
    },
    /// Proofs that a deployment's offsets join without gap or overlap
    Receipts {
        /// Number of the deployment, as 1 or dep/1
        deployment: String,
    },
    /// Records that could not be treated
    #[command(subcommand)]
    Dlq(DlqVerb),
    /// Records that wait because one of their key could not be treated
    #[command(subcommand)]
    Parked(ParkedVerb),
    /// The instances that run the pipeline
    #[command(subcommand)]
    Nodes(NodesVerb),
    /// Who holds which shard
    #[command(subcommand)]
    Shards(ShardsVerb),
    /// Topics: those of a running pipeline, and those that a pipeline needs on Kafka
    #[command(subcommand)]
    Topics(super::topics::args::TopicsVerb),
    /// Whether a pipeline could run here: brokers, rights, transactions, topics, clock, disk
    Doctor(super::topics::args::DoctorArgs),
    /// Check the books: journals, topics, receipts, invariants
    Verify(VerifyArgs),
    /// Look at components
    #[command(subcommand)]
    Component(ComponentVerb),
    /// Check a manifest, and the components that it names, without running anything
    Validate(ManifestArgs),
    /// What a manifest comes to
    #[command(subcommand)]
    Config(ConfigVerb),
    /// What an error code means and what to do
    Explain {
        /// F0101, fault-fuel, ...; none: all of them
        code: Option<String>,
    },
    /// Completions for a shell, on stdout
    Completion {
        #[arg(value_enum)]
        shell: super::completion::Shell,
    },
    /// Version of this binary
    Version,
    /// Compiles one component, file to file, apart from the process that serves
    #[command(name = "__compile", hide = true)]
    Compile { from: PathBuf, into: PathBuf },
}

#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// Which pipeline: one of those under examples/
    #[arg(long, value_name = "NAME", default_value = "payments")]
    pub example: String,
    /// Stop after this many payments, or whatever the example calls them (default: run until Ctrl-C)
    #[arg(long, visible_alias = "count", value_name = "N")]
    pub payments: Option<u64>,
    /// Seed of the generator
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Records a second; 0: as a backlog (default: 1000, with --payments a backlog)
    #[arg(long, value_name = "N")]
    pub rate: Option<u64>,
    /// Worker threads
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub workers: u8,
    /// Folder for log and state (default: a fresh temporary one)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Keep the temporary folder
    #[arg(long)]
    pub keep: bool,
    /// Address of the API
    #[arg(long, default_value = DEFAULT_LISTEN)]
    pub listen: SocketAddr,
    /// End when the load has ended, instead of going on to serve
    #[arg(long)]
    pub exit: bool,
    /// Merged into the generator's configuration (JSON object)
    #[arg(long, value_name = "JSON")]
    pub config: Option<String>,
    #[command(flatten)]
    pub env: EnvArg,
}

#[derive(Clone, Debug, Args)]
pub struct ManifestArgs {
    /// The manifest
    #[arg(value_name = "FILE", default_value = "pipeline.toml")]
    pub file: PathBuf,
    #[command(flatten)]
    pub env: EnvArg,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ConfigVerb {
    /// Every value that holds, defaults among them, and where it comes from; secrets stay references
    Show(ManifestArgs),
    /// The JSON Schema of pipeline.toml, for editors
    Schema,
}

#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The manifest [default: pipeline.toml]
    #[arg(value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The manifest, as an option
    #[arg(short, long = "file", value_name = "FILE", conflicts_with = "manifest")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub env: EnvArg,
    /// Installation: node, log, Kafka's settings (without one: the embedded log)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder for log and state [default: node.data-dir, or fermata-data]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Worker threads; 0: one a core [default: node.workers; 2 without --config]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=64))]
    pub workers: Option<u8>,
    /// Address of the API [default: http.listen, or 127.0.0.1:8640]
    #[arg(long)]
    pub listen: Option<SocketAddr>,
}

impl RunArgs {
    pub fn manifest(&self) -> &Path {
        let named = self.manifest.as_deref().or(self.file.as_deref());
        named.unwrap_or(Path::new("pipeline.toml"))
    }
}

#[derive(Clone, Debug, Args)]
pub struct ProduceArgs {
    pub topic: String,
    /// Key of all records (default: derived from the manifest's `key` field)
    #[arg(long)]
    pub key: Option<String>,
    /// Lines are hex digits of values that are no text
    #[arg(long)]
    pub hex: bool,
    /// Lines to send; `-`: stdin
    #[arg(default_value = "-")]
    pub file: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct ConsumeArgs {
    pub topic: String,
    /// Only this partition
    #[arg(long)]
    pub partition: Option<u32>,
    /// First offset of each partition
    #[arg(long, default_value_t = 0)]
    pub offset: u64,
    /// At most this many records (default: all that are there now)
    #[arg(long)]
    pub limit: Option<u64>,
    /// Go on with records that come later, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub enum ViewVerb {
    /// Views that the stages answer
    List,
    /// Ask one view
    Get {
        view: String,
        key: Option<String>,
        /// Parameters, as name=value; a value is JSON where it reads as such
        #[arg(long = "param", value_name = "NAME=VALUE")]
        params: Vec<String>,
    },
}

#[derive(Clone, Debug, Args)]
pub struct DeployArgs {
    pub stage: String,
    /// A file, builtin:name@version or sha256:...
    pub component: String,
    /// How long the old version is asked for a second opinion
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub probation: Option<Duration>,
}

#[derive(Clone, Debug, Subcommand)]
pub enum DeploymentsVerb {
    /// All of them
    List,
    /// One of them, as 1 or dep/1
    Show { deployment: String },
}

#[derive(Clone, Debug, Subcommand)]
pub enum DlqVerb {
    /// All dead letters
    List {
        #[arg(long, default_value_t = 100)]
        limit: u64,
    },
    /// One of them, by partition/offset
    Show { letter: String },
}

#[derive(Clone, Debug, Subcommand)]
pub enum ParkedVerb {
    /// Keys with parked records
    List {
        /// Only of this stage
        #[arg(long)]
        stage: Option<String>,
        /// At most this many keys
        #[arg(long, default_value_t = 100)]
        limit: u64,
    },
    /// The queue of one key, in order
    Show {
        /// As text, or 0x and hex digits
        key: String,
        /// Only of this stage
        #[arg(long)]
        stage: Option<String>,
        /// At most this many records
        #[arg(long, default_value_t = 100)]
        limit: u64,
    },
    /// Try the first record of a key again, then go on in order
    Release {
        /// As text, or 0x and hex digits
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        key: Option<String>,
        /// Every key
        #[arg(long)]
        all: bool,
        /// Only at this stage
        #[arg(long)]
        stage: Option<String>,
    },
    /// Make a dead letter of the first record of a key, then go on in order
    Skip {
        /// As text, or 0x and hex digits
        key: String,
        /// The stage, where the key is parked at several
        #[arg(long)]
        stage: Option<String>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub enum NodesVerb {
    /// All of them, with what they hold
    List,
    /// Give the shards of one away before maintenance, warm where possible
    Evacuate { node: String },
}

#[derive(Clone, Debug, Subcommand)]
pub enum ShardsVerb {
    /// All of them: owner, journal sequence, lag, standby
    List,
}

#[derive(Clone, Debug, Args)]
pub struct VerifyArgs {
    /// Check a folder whose process has stopped, instead of a server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Check what an installation's log has, instead of a server
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub config: Option<PathBuf>,
    /// Manifest [default: the copy in the folder; on Kafka pipeline.toml]
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub env: EnvArg,
    /// Execute each task's journal again and compare the hashes
    #[arg(long)]
    pub replay: bool,
}

impl VerifyArgs {
    /// For a manifest that is named: the copy in the folder has its environment in it.
    pub fn environment(&self) -> Option<&str> {
        self.file.as_ref().and_then(|_| self.env.name())
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum ComponentVerb {
    /// What a component says of itself: a file, builtin:name@version or sha256:...
    Inspect { component: String },
    /// Whether a component may run, and how far it comes: a file or builtin:name@version
    Check(super::check::CheckArgs),
}
