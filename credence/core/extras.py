"""Optional libraries and the extras of the distribution `credence-ml` that install them."""

# Import name of a library -> the smallest extra that installs it, directly or as a dependency.
EXTRA_OF_LIBRARY = {
    "charset_normalizer": "train",
    "crepes": "train",
    "datasets": "train",
    "httpx": "train",
    "imblearn": "train",
    "jinja2": "train",
    "markdown": "train",
    "markupsafe": "train",
    "matplotlib": "train",
    "optuna": "train",
    "phonenumbers": "train",
    "prometheus_client": "train",
    "psycopg": "train",
    "sqlalchemy": "train",
    "stdnum": "train",
    "huggingface_hub": "text",
    "safetensors": "text",
    "tokenizers": "text",
    "torch": "text",
    "transformers": "text",
    "arviz": "bayes",
    "jax": "bayes",
    "numpyro": "bayes",
    "platformdirs": "bayes",
    "pyro": "bayes",
    "anthropic": "llm",
    "httpx2": "llm",
    "openai": "llm",
    "anyio": "serve",
    "bentoml": "serve",
    "packaging": "serve",
    "psutil": "serve",
    "starlette": "serve",
    "evidently": "pipelines",
    "mlflow": "pipelines",
    "shtab": "pipelines",
    "uvicorn": "pipelines",
    "zenml": "pipelines",
}


def missing_library(error: BaseException, needed_by: str = "") -> str | None:
    """Return the sentence about a library that is not installed, with the pip command; None for any other error.

    Args:
        error: The exception.
        needed_by: What the user asked for, such as "model kind 'bilstm'".
    """
    library = error.name if isinstance(error, ModuleNotFoundError) else None
    if library not in EXTRA_OF_LIBRARY:
        return None
    command = f"pip install 'credence-ml[{EXTRA_OF_LIBRARY[library]}]'"
    return f"{needed_by or 'this command'} needs {library}, which is not installed: {command}."
