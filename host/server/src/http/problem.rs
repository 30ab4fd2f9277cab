//! Every refusal of the API: RFC 9457 problem details with Fermata's code.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fermata_core::codes;
use fermata_core::ports::{ArtifactError, LogError, PrepareError};
use serde_json::json;

#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    help: Option<String>,
}

pub type Answer<T = Response> = Result<T, Problem>;

impl Problem {
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            help: None,
        }
    }
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::HTTP_BAD_REQUEST, detail)
    }
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, codes::HTTP_NOT_FOUND, detail)
    }
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, codes::HTTP_UNAVAILABLE, detail)
    }
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// Not found, with the nearest of what there is.
    pub fn missing<'a>(what: &str, found: &str, valid: impl IntoIterator<Item = &'a str>) -> Self {
        let problem = Self::not_found(format!("there is no {what} {found:?}"));
        match fermata_core::manifest::parse::nearest(found, valid) {
            Some(near) => problem.help(format!("did you mean {near:?}?")),
            None => problem,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": crate::pages::url(&self.code),
            "title": self.status.canonical_reason().unwrap_or("error"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if let Some(help) = self.help {
            body["help"] = help.into();
        }
        let mut response = (self.status, body.to_string()).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        match error {
            LogError::UnknownTopic(_) => Self::not_found(error.to_string()),
            LogError::Trimmed { .. } => Self::new(StatusCode::GONE, codes::HTTP_NOT_FOUND, error.to_string()),
            LogError::Away(_) | LogError::Fenced(_) => Self::unavailable(error.to_string()),
            other => Self::new(StatusCode::SERVICE_UNAVAILABLE, codes::LOG_FAILED, other.to_string()),
        }
    }
}

impl From<ArtifactError> for Problem {
    fn from(error: ArtifactError) -> Self {
        let code = match &error {
            ArtifactError::NotFound { found, .. } if found.contains(codes::COMPONENT_NO_BUNDLES) => {
                codes::COMPONENT_NO_BUNDLES
            }
            _ => codes::COMPONENT_MISSING,
        };
        let status = match &error {
            ArtifactError::NotFound { .. } => StatusCode::NOT_FOUND,
            ArtifactError::Unreadable { .. } => StatusCode::CONFLICT,
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<PrepareError> for Problem {
    fn from(error: PrepareError) -> Self {
        let code = crate::failure::prepare_code(&error);
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, error.to_string())
    }
}
