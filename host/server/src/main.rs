//! Parses the command line, carries out the verb, and ends with its exit code.

use clap::Parser;
use fermata_server::cli::{self, args::Cli};
use miette::{GraphicalReportHandler, GraphicalTheme};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // clap says what is wrong itself: 2 for misuse, 0 for --help and --version.
        Err(error) => error.exit(),
    };
    let filter = EnvFilter::try_from_env("FERMATA_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let plain = cli.global.no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    match cli::run(cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(failure) => {
            let exit = failure.exit();
            let theme = if plain || !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
                GraphicalTheme::unicode_nocolor()
            } else {
                GraphicalTheme::unicode()
            };
            let report = failure.report();
            let mut text = String::new();
            let handler = GraphicalReportHandler::new_themed(theme);
            match handler.render_report(&mut text, report.as_ref()) {
                Ok(()) => eprint!("{text}"),
                Err(_) => eprintln!("{report}"),
            }
            ExitCode::from(exit as u8)
        }
    }
}
