# JupyterLab with the library and the chapters, for Binder or a machine of one's own:
#   docker build -t spectra . && docker run --rm -p 8888:8888 spectra
# With --build-arg TENSORFLOW=gpu the image brings CUDA.
FROM python:3.11-slim

ARG NB_USER=reader
ARG NB_UID=1000
ARG TENSORFLOW=cpu
ENV USER=${NB_USER} HOME=/home/${NB_USER} PATH=/opt/spectra/bin:${PATH} PYTHONUNBUFFERED=1

RUN useradd --create-home --uid ${NB_UID} --shell /bin/bash ${NB_USER}
WORKDIR ${HOME}
COPY --chown=${NB_UID} . ${HOME}
RUN python -m venv /opt/spectra \
    && pip install --no-cache-dir --disable-pip-version-check -c requirements.lock -e '.[tensorflow,book]' \
    && if [ "${TENSORFLOW}" = gpu ]; then \
         version=$(pip show tensorflow-cpu | awk '/^Version/{print $2}') \
         && pip uninstall --yes tensorflow-cpu \
         && pip install --no-cache-dir --disable-pip-version-check "tensorflow[and-cuda]==${version}"; \
       fi \
    && chown -R ${NB_UID} ${HOME}

USER ${NB_USER}
EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser"]
