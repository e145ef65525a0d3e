"""The main job on one machine: mock OAP, service, bridge and Argo's own plugin client, with a talk-style template."""
