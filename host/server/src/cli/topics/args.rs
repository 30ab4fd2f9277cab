//! The words of `topics` and `doctor`.

use crate::cli::args::EnvArg;
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// An installation, and a pipeline on it.
#[derive(Clone, Debug, Args)]
pub struct SiteArgs {
    /// The manifest
    #[arg(value_name = "FILE", default_value = "pipeline.toml")]
    pub file: PathBuf,
    #[command(flatten)]
    pub env: EnvArg,
    /// The installation: how Kafka is reached, how topics are kept
    #[arg(long, value_name = "FILE", default_value = "fermata.toml")]
    pub config: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// The manifest [default: pipeline.toml, where there is one]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub env: EnvArg,
    /// The installation
    #[arg(long, value_name = "FILE", default_value = "fermata.toml")]
    pub config: PathBuf,
}

impl DoctorArgs {
    /// One that is named must be there; one that is not is looked at only if it is.
    pub fn manifest(&self) -> Option<&Path> {
        let usual = || Some(Path::new("pipeline.toml")).filter(|path| path.exists());
        self.file.as_deref().or_else(usual)
    }
}

#[derive(Clone, Debug, Subcommand)]
pub enum TopicsVerb {
    /// Topics of a running pipeline
    List,
    /// One topic of a running pipeline: who writes and reads it, and what each partition holds
    Describe { topic: String },
    /// What the pipeline's topics on Kafka should be, and where what is there differs (also -o kafka-topics: as commands)
    Plan {
        #[command(flatten)]
        site: SiteArgs,
        /// Ask no broker: as if there were no topic yet
        #[arg(long)]
        offline: bool,
    },
    /// Make the topics that are missing on Kafka; what is there is never changed
    Create {
        #[command(flatten)]
        site: SiteArgs,
        /// Have the brokers check everything and make nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// The rights on Kafka that the pipeline needs, as lines for kafka-acls.sh
    Acls {
        #[command(flatten)]
        site: SiteArgs,
        /// Whom to allow [default: User:<sasl.username>, or User:fermata]
        #[arg(long, value_name = "PRINCIPAL")]
        principal: Option<String>,
    },
}
