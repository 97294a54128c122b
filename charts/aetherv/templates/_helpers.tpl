{{- define "aetherv.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "aetherv.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "aetherv.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "aetherv.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "aetherv.selector" -}}
app.kubernetes.io/name: {{ include "aetherv.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "aetherv.labels" -}}
{{ include "aetherv.selector" . }}
app.kubernetes.io/part-of: aetherv
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "aetherv.account" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "aetherv.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "aetherv.subjects" -}}
- kind: ServiceAccount
  name: {{ include "aetherv.account" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "aetherv.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Pod Security Standard "restricted". */}}
{{- define "aetherv.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "aetherv.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* What both hooks and the control plane have in common. */}}
{{- define "aetherv.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Rules for the namespaced kinds and what belongs to their objects, in the whole cluster or in one namespace. */}}
{{- define "aetherv.objectRules" -}}
# Desired state is read; what people declare in a spec is never written.
- apiGroups: [aetherv.io]
  resources: [virtualmachines, virtualdisks, networkadapters, manageddeployments]
  verbs: [get, list, watch]
# Finalizers and annotations.
- apiGroups: [aetherv.io]
  resources: [virtualmachines, virtualdisks, networkadapters, manageddeployments]
  verbs: [patch]
- apiGroups: [aetherv.io]
  resources: [virtualmachines/status, virtualdisks/status, networkadapters/status, manageddeployments/status]
  verbs: [patch]
# What a ManagedDeployment consists of.
- apiGroups: [aetherv.io]
  resources: [virtualmachines, virtualdisks, networkadapters]
  verbs: [create, delete]
{{ include "aetherv.eventRule" . }}
{{ include "aetherv.secretRule" . }}
{{- end -}}

{{- define "aetherv.hostRules" -}}
- apiGroups: [aetherv.io]
  resources: [vmhosts]
  verbs: [get, list, watch, patch]
- apiGroups: [aetherv.io]
  resources: [vmhosts/status]
  verbs: [patch]
{{- end -}}

{{- define "aetherv.eventRule" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "aetherv.secretRule" -}}
- apiGroups: ['']
  resources: [secrets]
  {{- with .Values.rbac.secretNames }}
  resourceNames:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  verbs: [get]
{{- end -}}
