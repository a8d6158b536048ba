"""Which extra of the distribution `credence-ml` installs each library that is not a base dependency."""

# Import name of a library -> the smallest extra that installs it. Libraries that come with another are listed too.
EXTRA_OF_LIBRARY = {
    "charset_normalizer": "train",
    "crepes": "train",
    "datasets": "train",
    "httpx": "train",
    "imblearn": "train",
    "jinja2": "train",
    "markdown": "train",
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
    """The sentence for a library of an extra that is not installed; None for every other error.

    `needed_by` names what the user asked for, such as "model kind 'bilstm'".
    """
    library = error.name if isinstance(error, ModuleNotFoundError) else None
    if library not in EXTRA_OF_LIBRARY:
        return None
    command = f"pip install 'credence-ml[{EXTRA_OF_LIBRARY[library]}]'"
    return f"{needed_by or 'this command'} needs {library}, which is not installed: {command}."
