//! What a person meets when something does not work: a code, what was found, what to do, and an exit code.

use fermata_core::codes;
use fermata_core::manifest::{ManifestError, ManifestErrors};
use miette::{Diagnostic, LabeledSpan, NamedSource};

/// Exit codes of the binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    Refused = 4,
    Unreachable = 5,
    TimedOut = 6,
    RolledBack = 7,
    Differences = 8,
}

/// One failure of a verb.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Manifest(Box<ManifestErrors>),
    #[error("{message}")]
    Plain {
        code: String,
        message: String,
        help: Option<String>,
        exit: Exit,
    },
}

impl Failure {
    pub fn new(code: &str, exit: Exit, message: impl Into<String>) -> Self {
        Self::Plain {
            code: code.to_owned(),
            message: message.into(),
            help: None,
            exit,
        }
    }

    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::new(code, Exit::Failed, message)
    }

    /// A failure whose text may name its code itself, as in "F0501: ...": that one, said once, else `code`.
    pub fn coded(code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        for own in codes::ALL {
            for mark in [format!("{own}: "), format!("{own} ")] {
                if message.contains(&mark) {
                    return Self::failed(own, message.replacen(&mark, "", 1));
                }
            }
        }
        Self::failed(code, message)
    }

    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(codes::HTTP_BAD_REQUEST, Exit::Usage, message)
    }

    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Self::Plain { help, .. } = &mut self {
            *help = Some(text.into());
        }
        self
    }

    pub fn exit(&self) -> Exit {
        match self {
            Self::Manifest(_) => Exit::Refused,
            Self::Plain { exit, .. } => *exit,
        }
    }

    /// As drawn on a terminal.
    pub fn report(self) -> miette::Report {
        match self {
            Self::Manifest(errors) => match errors.all() {
                [one] => miette::Report::new(drawn(one)),
                all => miette::Report::new(Drawn {
                    message: format!("{} problems in {}", all.len(), all[0].file),
                    help: None,
                    text: NamedSource::new("", String::new()),
                    label: None,
                    parts: all.iter().map(drawn).collect(),
                }),
            },
            Self::Plain {
                code, message, help, ..
            } => miette::Report::new(Drawn {
                message: format!("{code} {message}"),
                help,
                text: NamedSource::new("", String::new()),
                label: None,
                parts: Vec::new(),
            }),
        }
    }
}

fn drawn(error: &ManifestError) -> Drawn {
    let place = format!("{}:{}:{}", error.file, error.line, error.column);
    Drawn {
        text: NamedSource::new(&error.file, error.source_text.to_string()),
        message: format!("{} {} ({place})", error.code, error.message),
        help: error.help.clone(),
        label: Some(LabeledSpan::new(None, error.span.start, error.span.len())),
        parts: Vec::new(),
    }
}

/// A failure in miette's terms.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Drawn {
    message: String,
    help: Option<String>,
    text: NamedSource<String>,
    label: Option<LabeledSpan>,
    /// Each drawn for itself below.
    parts: Vec<Drawn>,
}

impl Diagnostic for Drawn {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|h| Box::new(h) as _)
    }
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.label.as_ref().map(|_| &self.text as _)
    }
    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.label.clone().map(|l| Box::new(std::iter::once(l)) as _)
    }
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let parts = self.parts.iter().map(|part| part as &dyn Diagnostic);
        (!self.parts.is_empty()).then(|| Box::new(parts) as _)
    }
}

impl From<ManifestError> for Failure {
    fn from(error: ManifestError) -> Self {
        ManifestErrors::from(error).into()
    }
}

impl From<ManifestErrors> for Failure {
    fn from(errors: ManifestErrors) -> Self {
        Self::Manifest(Box::new(errors))
    }
}

impl From<fermata_core::ports::LogError> for Failure {
    fn from(error: fermata_core::ports::LogError) -> Self {
        use fermata_core::ports::LogError;
        let (code, exit) = match &error {
            LogError::PartitionCount { .. } => (codes::LOG_PARTITIONS, Exit::Refused),
            LogError::UnknownTopic(_) => (codes::HTTP_NOT_FOUND, Exit::NotFound),
            LogError::Away(_) => (codes::LOG_AWAY, Exit::Unreachable),
            LogError::Trimmed { .. } => (codes::LOG_KAFKA_POSITION, Exit::Failed),
            _ => return Self::coded(codes::LOG_FAILED, error.to_string()),
        };
        Self::new(code, exit, error.to_string())
    }
}

impl From<fermata_core::ports::ArtifactError> for Failure {
    fn from(error: fermata_core::ports::ArtifactError) -> Self {
        use fermata_core::ports::ArtifactError;
        match &error {
            ArtifactError::NotFound { found, .. } if found.contains(codes::COMPONENT_NO_BUNDLES) => {
                Self::new(codes::COMPONENT_NO_BUNDLES, Exit::NotFound, error.to_string())
            }
            ArtifactError::NotFound { .. } => Self::new(codes::COMPONENT_MISSING, Exit::NotFound, error.to_string()),
            ArtifactError::Unreadable { .. } => Self::failed(codes::COMPONENT_MISSING, error.to_string()),
        }
    }
}

impl From<fermata_core::ports::PrepareError> for Failure {
    fn from(error: fermata_core::ports::PrepareError) -> Self {
        Self::new(prepare_code(&error), Exit::Refused, error.to_string())
    }
}

impl From<fermata_build::BuildError> for Failure {
    fn from(error: fermata_build::BuildError) -> Self {
        use fermata_build::BuildError as E;
        let (code, exit) = match &error {
            E::Toolchain(_) => (codes::COMPONENT_TOOLCHAIN, Exit::NotFound),
            E::Package(_) => (codes::COMPONENT_BUILD, Exit::NotFound),
            E::Encode { .. } => (codes::COMPONENT_BUILD, Exit::Refused),
            E::Start { .. } | E::Cargo(_) | E::Read { .. } | E::Write { .. } => (codes::COMPONENT_BUILD, Exit::Failed),
        };
        Self::new(code, exit, error.to_string())
    }
}

/// The code under which a component is refused.
pub fn prepare_code(error: &fermata_core::ports::PrepareError) -> &'static str {
    use fermata_core::ports::PrepareError as E;
    match error {
        E::NotAComponent(_) => codes::COMPONENT_FORMAT,
        E::Contract(_) => codes::COMPONENT_CONTRACT,
        E::Init(_) => codes::COMPONENT_INIT,
        E::Config(_) => codes::COMPONENT_CONFIG,
        E::Secret(_) => codes::MANIFEST_SECRET,
        E::Compile(_) => codes::COMPONENT_COMPILE,
        E::Host(_) => codes::COMPONENT_MISSING,
    }
}
