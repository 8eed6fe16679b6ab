#!/usr/bin/python
# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: model_publish
short_description: Publish the model of a completed training
version_added: 0.1.0
description:
  - Brings the model of a training to a directory of the controller, to a bucket that speaks S3, to a repository of the
    Hugging Face Hub or to the model registry of MLflow, with a model card and its curves, if the training has really
    completed. One that has failed, was stopped, goes on or has too few
    rounds is never published, nor one that breaks a rule of O(rules).
  - The files are those of a package of M(fedops.flower.model_package), in a folder of its name. The checkpoint is
    verified on the host and where it arrives, and the package is opened as whoever gets one opens it.
  - What is there already, by its hash, is not brought again.
author:
  - fedops.flower contributors (@fedops)
requirements:
  - rclone on the controller for O(to=s3)
  - pip and venv on the controller, or O(library_python), for O(to=huggingface) and O(to=mlflow)
extends_documentation_fragment:
  - fedops.flower.authority
  - fedops.flower.layout.checkpoints
  - fedops.flower.layout
  - fedops.flower.package
attributes:
  check_mode:
    description: Tells whether the model may be published, and whether anything would be brought.
    support: full
  diff_mode:
    description: Returns where the model is published.
    support: full
  idempotent:
    description: A model that is there with the same hash is left as it is.
    support: full
  action:
    description: The controller asks the host and publishes. The host gets no key.
    support: full
options:
  path:
    description: The checkpoint directory of all trainings on the host.
  home:
    description: Home of Flower on the host.
  training:
    description: Name of the training.
    type: str
    default: default
  round:
    description:
      - The number of the round, or V(best) for the best one that early stopping has found. By default it is the last
        one, which is that of the result.
    type: str
  name:
    description:
      - What the model is called before its round and hash, 1 to 40 small letters, digits and hyphens. By default it is
        the name of the training.
    type: str
  to:
    description: What kind of place it is published in.
    type: str
    choices: [directory, s3, huggingface, mlflow]
    required: true
  dest:
    description:
      - The directory on the controller, the bucket with a folder in it, such as C(models/digits), the repository, such
        as C(hospitals/digits), or the name of the registered model.
    type: str
    required: true
  probe:
    description:
      - Whether to publish nothing, and only to tell in RV(obstacle) whether a publication would work. The host is asked
        nothing.
    type: bool
    default: false
  rules:
    description:
      - What metrics of the round must be, each as C(accuracy >= 0.9). Metrics have the names that the history has for
        them.
    type: list
    elements: str
    default: []
  license:
    description: The licence of the model, as the model card has it.
    type: str
  tracker_url:
    description:
      - Where the run of a tracker is, for the model card, or V(none) to leave it out. By default it is the link to the
        run of each tracker with a server that follows the training (C(training_trackers)), but for a server on the
        loopback.
    type: str
  rclone:
    description: The program rclone on the controller.
    type: path
    default: /usr/bin/rclone
  s3_provider:
    description: Whose server it is, as rclone names it.
    type: str
    default: Other
  s3_endpoint:
    description: URL of the server. Empty means Amazon.
    type: str
  s3_region:
    description: Region of the bucket, where the server has any.
    type: str
  s3_access_key_id:
    description: Name of the key. It must allow to list, read and write below O(dest).
    type: str
  s3_secret_access_key:
    description: The key itself. It stays on the controller.
    type: str
  s3_ca_file:
    description: File on the controller with the authority of the server's certificate.
    type: path
  endpoint:
    description:
      - URL of the server of O(to=huggingface), where it is not C(https://huggingface.co), or of O(to=mlflow), which
        needs one. It must begin with C(https), but for a server on the controller itself.
    type: str
  private:
    description: Whether a repository of O(to=huggingface) that is made is a private one.
    type: bool
    default: true
  username:
    description: The user of O(to=mlflow), whose password is in O(token_file). Without it, that is a token.
    type: str
  token_file:
    description:
      - File on the controller with what O(to=huggingface) or O(to=mlflow) is opened with, and nothing else. It must be
        of root or of the account that runs Ansible, with mode C(0600).
    type: path
  server_ca_file:
    description: File on the controller with the authority of the certificate of O(endpoint).
    type: path
  library_python:
    description:
      - A Python on the controller that has C(huggingface_hub) or C(mlflow-skinny). Without it, an environment of its
        own is made from a lock with hashes, once.
    type: path
  environments:
    description: The directory on the controller for such environments.
    type: path
    default: ~/.cache/fedops-flower
  library_wheelhouse:
    description: Directory with the wheels of the lock, on the controller. With it no network is needed to install them.
    type: path
  library_index_url:
    description: Package index for the library, in place of the default one. It may hold credentials.
    type: str
seealso:
  - module: fedops.flower.model_package
  - module: fedops.flower.training_report
"""

EXAMPLES = r"""
- name: Publish the model when it is good enough
  fedops.flower.model_publish:
    to: directory
    dest: /srv/models
    rules: [accuracy >= 0.9]
    ca_certificate: /srv/federation/certificates/ca.crt
    ca_private_key: /srv/federation/certificates/ca.key
  register: publication
"""

RETURN = r"""
published:
  description: Whether the model is where it is published. In check mode, whether it is there already.
  returned: success
  type: bool
  sample: true
withheld:
  description: Why it must not be published; empty where it may.
  returned: O(probe=false)
  type: list
  elements: str
  sample: ["accuracy of round 10 is 0.87, which must be >= 0.9"]
obstacle:
  description:
    - Why nothing could be published, as a sentence. Empty where O(dest) can be reached and, as far as that is seen
      without bringing anything, written.
  returned: O(probe=true)
  type: str
  sample: "s3://models/digits cannot be reached: the bucket models does not exist."
round:
  description: The round that it is of; 0 where there is none.
  returned: O(probe=false)
  type: int
  sample: 10
dest:
  description: Where it is, or would be.
  returned: when it may be published
  type: str
  sample: /srv/models/default-10-3f2a9c71
package:
  description: The name of the package.
  returned: when it may be published
  type: str
  sample: default-10-3f2a9c71
identity:
  description: The hash of all that decides what is in it.
  returned: when it may be published
  type: str
  sample: 3f2a9c7168ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
checkpoint_sha256:
  description: SHA-256 of the checkpoint that it was made of.
  returned: when it may be published
  type: str
  sample: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
"""
