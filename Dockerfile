# JupyterLab with the library and the chapters, for Binder or a machine of one's own:
#   docker build -t spectra . && docker run --rm -p 8888:8888 spectra
# With --build-arg TENSORFLOW=gpu the image brings CUDA. `make test-docker` tries it without Docker.
FROM python:3.11-slim

# BinderHub sets user and uid; whoever runs the image never is root.
ARG NB_USER=reader
ARG NB_UID=1000
ARG TENSORFLOW=tensorflow
ENV USER=${NB_USER} HOME=/home/${NB_USER} PATH=/opt/spectra/bin:${PATH} VIRTUAL_ENV=/opt/spectra PYTHONUNBUFFERED=1

RUN useradd --create-home --uid ${NB_UID} --shell /bin/bash ${NB_USER} \
    && install --directory --owner=${NB_UID} /opt/spectra
WORKDIR ${HOME}
COPY --chown=${NB_UID} . ${HOME}
USER ${NB_USER}

# The packages with measured spectra ask for versions that the rest does not need; only their files are used. The last
# command makes JupyterLab open the chapters, which are Markdown, as notebooks.
RUN python -m venv /opt/spectra \
    && pip install --no-cache-dir --quiet --require-hashes -r workflow/installer.lock \
    && uv pip install --no-cache --quiet -c requirements.lock -b requirements.lock -e ".[${TENSORFLOW},book]" \
    && uv pip install --no-cache --quiet --no-deps --require-hashes -r workflow/measured.lock \
    && jupytext-config set-default-viewer markdown myst

EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]
