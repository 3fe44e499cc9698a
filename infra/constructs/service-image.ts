import { Platform } from "aws-cdk-lib/aws-ecr-assets";
import { ContainerImage } from "aws-cdk-lib/aws-ecs";

/**
 * A service's container image. On an emulator it is referenced by name: the embedded endpoint's process
 * runtime knows the names, and LocalStack needs an image built under that name. On AWS the deployment builds
 * it from the Dockerfile and pushes it.
 */
export function serviceImage(service: "consumer" | "producer", emulated: boolean): ContainerImage {
  if (emulated) return ContainerImage.fromRegistry(`evenkeel/${service}`);
  return ContainerImage.fromAsset(".", {
    buildArgs: { SERVICE: service },
    platform: Platform.LINUX_AMD64,
    // .dockerignore limits the build context. CDK reads it too, so a change elsewhere creates no new image.
  });
}
