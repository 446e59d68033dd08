#!/usr/bin/env bash
# Creates, once per account, the two instance profiles that cluster.yaml names:
#     bash clusters/aws_roles.sh BUCKET
# Both may read and write the bucket BUCKET, which must exist; the head may also start and terminate machines.
# Needs the AWS command line, logged in as a user who may create roles.
set -euo pipefail
bucket="${1:?give the name of the bucket: bash clusters/aws_roles.sh BUCKET}"

allow() { # ACTIONS RESOURCE: one statement; actions are separated by commas
    printf '{"Effect":"Allow","Action":["%s"],"Resource":"%s"}' "${1//,/\",\"}" "$2"
}
policy() { # STATEMENTS
    printf '{"Version":"2012-10-17","Statement":[%s]}' "$1"
}

trust='{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}'
objects="s3:GetObject,s3:PutObject,s3:DeleteObject,s3:AbortMultipartUpload"
storage="$(allow s3:ListBucket,s3:GetBucketLocation "arn:aws:s3:::$bucket"),$(allow "$objects" "arn:aws:s3:::$bucket/*")"
for role in sweetspot-head sweetspot-worker; do
    aws iam create-role --role-name "$role" --assume-role-policy-document "$(policy "$trust")"
    aws iam put-role-policy --role-name "$role" --policy-name bucket --policy-document "$(policy "$storage")"
    aws iam create-instance-profile --instance-profile-name "$role"
    aws iam add-role-to-instance-profile --instance-profile-name "$role" --role-name "$role"
done

# Amazon creates its role for spot machines by itself only if the first one is started in its console.
aws iam get-role --role-name AWSServiceRoleForEC2Spot >/dev/null 2>&1 ||
    aws iam create-service-linked-role --aws-service-name spot.amazonaws.com

# Ray's autoscaler describes, starts, tags and terminates machines, gives them their profile, and looks up their image.
pass="$(allow iam:PassRole "arn:aws:iam::*:role/sweetspot-worker")"
images="$(allow ssm:GetParameters "arn:aws:ssm:*::parameter/aws/service/*")"
actions="ec2:Describe*,ec2:RunInstances,ec2:CreateTags,ec2:StartInstances,ec2:StopInstances,ec2:TerminateInstances"
machines="$(allow "$actions" "*")"
aws iam put-role-policy --role-name sweetspot-head --policy-name workers \
    --policy-document "$(policy "$machines,$pass,$images")"
