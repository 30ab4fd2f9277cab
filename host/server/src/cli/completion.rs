//! `completion`: what a shell needs to complete verbs and flags.

use super::args::Cli;
use crate::failure::{Exit, Failure};
use clap::{CommandFactory, ValueEnum};
use std::io::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

pub fn run(shell: Shell) -> Result<Exit, Failure> {
    let generator = match shell {
        Shell::Bash => clap_complete::Shell::Bash,
        Shell::Zsh => clap_complete::Shell::Zsh,
        Shell::Fish => clap_complete::Shell::Fish,
        Shell::Powershell => clap_complete::Shell::PowerShell,
    };
    let mut text = Vec::new();
    clap_complete::generate(generator, &mut Cli::command(), "fermata", &mut text);
    // A reader that has seen enough closes the pipe.
    let _ = std::io::stdout().write_all(&text);
    Ok(Exit::Ok)
}
